"""Seeds about words and phrases that have to be there, or must not be."""

from autoif.seeds.seed import Seed

SEEDS = (
    Seed(
        name="include_two_words",
        kind="keywords",
        query="How can a small shop compete with big online stores?",
        instruction='Include both the word "$first" and the word "$second" in your answer.',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Compare whole words without regard to capitals: "helpful" is not "help".
    words = re.findall(r"[^\W_]+", response.lower())
    return $first in words and $second in words
""",
        parameters={"first": ("people", "start"), "second": ("help", "small")},
        cases=lambda first, second: [
            (f'Two ideas matter here: "{first}" and "{second}".', True),
            (f"{first.title()} comes before price. **{second}** is what shops do best.", True),
            (f"Know your customers and their {first}.", False),
            (f"Offer what no website can: {second}.", False),
            ("Know your customers and offer repairs.", False),
        ],
        boundary=lambda first, second: [
            (f"{first.upper()}, {second.upper()}!", True),
            (f"{first}, {second}er", False),
            (f"{first}{second}", False),
        ],
    ),
    Seed(
        name="avoid_word",
        kind="keywords",
        query="Write a short review of a hotel by the sea.",
        instruction='Never use the word "$word".',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Whole words, any capitals: longer words that only contain it are allowed.
    words = re.findall(r"[^\W_]+", response.lower())
    # No words at all means no answer.
    return bool(words) and $word not in words
""",
        parameters={"word": ("very", "and", "is", "great")},
        cases=lambda word: [
            ("Our room had a view of the waves. We slept well.", True),
            ("Clean beds, fresh fish, friendly people.", True),
            (f"I can describe it in a word: {word}.", False),
            (f"{word.title()} quiet rooms, {word} near the beach.", False),
        ],
        boundary=lambda word: [
            (f"The sea view was {word}ish.", True),
            (f"({word.upper()})", False),
            (f"Rooms, sea-{word}-beach.", False),
            ("", False),
        ],
    ),
    Seed(
        name="word_at_least_n_times",
        kind="keywords",
        query="Give a short pep talk before a football match.",
        instruction='Use the word "$word" at least $n times.',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Whole words only, any capitals.
    words = re.findall(r"[^\W_]+", response.lower())
    return words.count($word) >= $n
""",
        parameters={"word": ("time", "good", "work"), "n": (2, 3, 4)},
        cases=lambda word, n: [
            (f"The word of the day is {word}. " + f"{word.title()}! " * n + "Now go out and play.", True),
            (f"Say it: {word}. Then play.", False),
            ("Run, pass, shoot, and enjoy it.", False),
            ("Ready? " + f"It all comes down to {word}. " * (n + 1), True),
        ],
        boundary=lambda word, n: [
            (f"{word}, " * n + "go", True),
            (f"{word}, " * (n - 1) + "go", False),
            (f"{word}, " * (n - 1) + f"x{word}", False),
        ],
    ),
    Seed(
        name="word_exactly_once",
        kind="keywords",
        query="Explain inflation to someone who has never heard of it.",
        instruction='The word "$word" should appear exactly once; other forms of it do not count.',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # "$word" is counted as a whole word, with any capitals; longer words are other words.
    words = re.findall(r"[^\W_]+", response.lower())
    return words.count($word) == 1
""",
        parameters={"word": ("because", "people", "often")},
        cases=lambda word: [
            (f'Inflation is easiest to see through one word, "{word}", when a loaf costs more each year.', True),
            (f"{word.title()} is the key word. Bread costs more than last year.", True),
            (f"First {word}, then more {word}, and so on.", False),
            ("A loaf of bread costs more than last year.", False),
        ],
        boundary=lambda word: [
            (f"{word} and {word}s", True),
            (f"{word} and {word.upper()}", False),
            (f"all {word}s", False),
        ],
    ),
    Seed(
        name="include_phrase",
        kind="keywords",
        query="What is the difference between weather and climate?",
        instruction='Somewhere in your answer, use the phrase "$phrase".',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Cut both texts into words, so that capitals, line breaks and commas do not matter.
    words = " ".join(re.findall(r"[^\W_]+", response.lower()))
    # The blanks around keep longer words from matching.
    return f" {$phrase} " in f" {words} "
""",
        parameters={"phrase": ("in a nutshell", "on the other hand", "as a rule of thumb")},
        cases=lambda phrase: [
            (f"{phrase.capitalize()}, weather is today and climate is what you expect.", True),
            (f"Weather is today. Climate, {phrase}, takes thirty years.", True),
            ("Weather is today and climate is what you expect.", False),
            (f"Weather changes daily {' '.join(phrase.split()[:-1])}.", False),
        ],
        boundary=lambda phrase: [
            (f"Weather,\n{phrase.upper()}!", True),
            (f"Weather {phrase}s", False),
            (" ".join(reversed(phrase.split())), False),
        ],
    ),
    Seed(
        name="either_word_not_both",
        kind="keywords",
        query="Should I lease a car or buy one?",
        instruction='Use either the word "$first" or the word "$second", but not both of them.',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Whole words with any capitals. Using the same one twice is fine.
    words = re.findall(r"[^\W_]+", response.lower())
    # Exactly one of the two is present when the answers differ.
    return ($first in words) != ($second in words)
""",
        parameters={"first": ("faster", "better"), "second": ("easier", "safer")},
        cases=lambda first, second: [
            (f"Buying is {first} if you keep the car for years.", True),
            (f"Leasing is {second}. Really, it is {second}.", True),
            (f"Leasing is {second}, buying is {first}.", False),
            ("It depends on how long you keep the car.", False),
        ],
        boundary=lambda first, second: [
            (f"{first.upper()}!", True),
            (f"{first.upper()} or {second.upper()}!", False),
            (f"{first}s", False),
        ],
    ),
    Seed(
        name="at_least_n_numbers",
        kind="keywords",
        query="How much should I save each month for a holiday?",
        instruction=(
            "Back it up with at least $n figures written in digits. The numbering of a list does not count as a figure."
        ),
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Drop "1." or "2)" at the start of a line: they only number a list.
    text = re.sub(r"(?m)^[- \t*#(]*\d{1,3}[.)](?!\d)", " ", response)
    # "1,200", "3.5" and "12:30" are one figure each. A digit right after a letter, as in "CO2", is none.
    figures = re.findall(r"(?<![^\W_])\d+(?:[.,:]\d+)*", text)
    return len(figures) >= $n
""",
        parameters={"n": (2, 3, 4)},
        cases=lambda n: [
            ("A week away costs about 900 euros. Put aside 75 a month for 12 months and keep 10 % spare.", True),
            ("Save a little every month and you will be fine.", False),
            ("1. Save\n2. Wait\n3. Book\n4. Go\n5. Enjoy", False),
            ("Save" + " 50 euros, then" * n + " go.", True),
        ],
        boundary=lambda n: [
            ("Save" + " 1,200.50 or" * (n - 1) + " a lot.", False),
            ("Save" + " 1,200.50 or" * n + " a lot.", True),
            ("1. Save" + " 50 or" * (n - 1) + " a lot of CO2.", False),
        ],
    ),
    Seed(
        name="at_least_one_url",
        kind="keywords",
        query="Where can I read more about first aid?",
        instruction="Name at least one web address that starts with https://.",
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # After https:// comes a host with a dot in it, such as www.redcross.org.
    return re.search(r"https://\w[\w-]*\.\w", response) is not None
""",
        cases=lambda: [
            ("The Red Cross has a good guide: https://www.redcross.org/first-aid", True),
            ("Look at [St John](https://www.sja.org.uk).", True),
            ("Search the web for first aid courses.", False),
            ("Look at www.redcross.org.", False),
        ],
        boundary=lambda: [("See https:// for more.", False), ("http://redcross.org", False), ("https://a.org", True)],
        general=False,
    ),
    Seed(
        name="no_first_person",
        kind="keywords",
        query="Is it better to rent or to buy a flat?",
        instruction='Do not talk about yourself: avoid "I", "me", "my" and "mine", also in forms such as "I\'m".',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # An apostrophe ends a word here, so "I'm" and "I've" contain the word "i".
    words = re.findall(r"[^\W_]+", response.lower())
    return bool(words) and not {"i", "me", "my", "mine"} & set(words)
""",
        cases=lambda: [
            ("Renting keeps you free, buying pays off after ten years or so.", True),
            ("It depends on how long you stay.", True),
            ("I would rent.", False),
            ("In my view, buying pays off.", False),
        ],
        boundary=lambda: [("Buy if you can. I’m sure.", False), ("Mind the time limit.", True), ("", False)],
    ),
)

"""Seeds about single letters, digits and the length of words."""

from autoif.seeds.seed import Case, Seed

LINES = {"A": "After rain it shines.", "E": "Each tree is bright.", "N": "New leaves grow.", "S": "Sun on the hill.",
         "T": "Tulips open.", "U": "Umbrellas stay home."}  # fmt: skip


def acrostics(word: str) -> list[Case]:
    poem = "\n".join(LINES[letter] for letter in word)
    return [
        (poem, True),
        ("\n".join(f"**{LINES[letter][0]}**{LINES[letter][1:]}" for letter in word), True),
        (poem.replace("\n", " "), False),
        (f"Spring is {word}.", False),
        ("Here is my poem:\n" + poem, False),
    ]


SEEDS = (
    Seed(
        name="no_letter",
        kind="letters",
        query="Describe a rainy morning.",
        instruction='Do not use the letter "$letter" anywhere, neither small nor capital.',
        verifier=r"""
def evaluate(response: str) -> bool:
    # An answer without any letter avoids it too, but says nothing.
    return any(c.isalpha() for c in response) and $letter not in response.lower()
""",
        parameters={"letter": ("z", "x", "k", "b")},
        cases=lambda letter: [
            ("Rain falls on the roofs and all is grey.", True),
            ("Soft rain. Grey light. One more cup of tea.", True),
            (f"Rain falls, and the letter {letter} falls too.", False),
            ("A box of zinc and a book by the kitchen window.", False),
        ],
        boundary=lambda letter: [(f"Rain, plan {letter.upper()}.", False), ("Rain.", True), ("3 + 4", False)],
    ),
    Seed(
        name="letter_at_least_n_times",
        kind="letters",
        query="Invent a funny name for a zoo and say what lives there.",
        instruction='Use the letter "$letter" at least $n times; small and capital letters both count.',
        verifier=r"""
def evaluate(response: str) -> bool:
    # Count the letter wherever it stands, also several times in one word.
    return response.lower().count($letter) >= $n
""",
        parameters={"letter": ("z", "k", "v"), "n": (3, 5)},
        cases=lambda letter, n: [
            ("Zazu's Zoo: zebras, lizards and lazy gazelles. Koko keeps kind monkeys. Five very vivid doves.", True),
            (f"I like the letter {letter}.", False),
            (f"The {letter.upper() * n} Zoo is full of animals.", True),
            ("Lions and tigers roam in the sun.", False),
        ],
        boundary=lambda letter, n: [
            (f"A {letter}. " * n, True),
            (f"A {letter}. " * (n - 1), False),
            (f"{letter.upper()}{letter}" + f"-{letter}" * (n - 2), True),
        ],
    ),
    Seed(
        name="n_words_with_initial",
        kind="letters",
        query="Write a slogan for a bakery that sells pies.",
        instruction='Have at least $n words that begin with the letter "$letter"; a repeated word counts again.',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Words are runs of letters and digits, an apostrophe inside belongs to the word. Repeats count again.
    words = re.findall(r"[^\W_]+(?:['’][^\W_]+)*", response.lower())
    return sum(word.startswith($letter) for word in words) >= $n
""",
        parameters={"letter": ("p", "b", "s"), "n": (3, 4, 5)},
        cases=lambda letter, n: [
            (
                "Peter's perfect pies: please pick plenty. Big, brown, buttery, baked by Bea. "
                "So soft, so sweet, so simple.",
                True,
            ),
            ("Good food for you and the family.", False),
            (f"We like {letter}eas. " * n, True),
            (f"We like {letter}eas. " * (n - 2), False),
        ],
        boundary=lambda letter, n: [
            (f"{letter.upper()}ie! " * n, True),
            (f"{letter.upper()}ie! " * (n - 1), False),
            (f"{letter.upper()}ie! " * (n - 1) + f"a{letter}e", False),
        ],
    ),
    Seed(
        name="no_digits",
        kind="letters",
        query="How many bones does a human have, and how many does a baby have?",
        instruction="Do not write any digits; spell numbers out in words.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Superscripts and digits of other scripts are digits too. Numbering a list needs digits, so it fails.
    return any(c.isalpha() for c in response) and not any(c.isdigit() for c in response)
""",
        cases=lambda: [
            ("An adult has two hundred and six bones, a baby about three hundred.", True),
            ("Many: over two hundred.", True),
            ("An adult has 206 bones.", False),
            ("1. Adults: two hundred and six\n2. Babies: three hundred", False),
        ],
        boundary=lambda: [("Bone density is in g/cm².", False), ("Part IV says two hundred.", True), ("...", False)],
    ),
    Seed(
        name="one_long_word",
        kind="letters",
        query="What do people like about living in a big city?",
        instruction="At least one word must have $n or more letters. The parts of a hyphenated word count separately.",
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Runs of letters only: hyphens, digits and signs end a word.
    words = re.findall(r"[^\W\d_]+", response)
    return any(len(word) >= $n for word in words)
""",
        parameters={"n": (11, 13, 15)},
        cases=lambda n: [
            ("The multiculturalism of a big city is what they like.", True),
            ("They like that it is full of life.", False),
            ("They like the shops, the trams and the parks.", False),
            ("Internationalisation, they say, and good food.", True),
        ],
        boundary=lambda n: [
            ("They like " + "internationalisation"[:n] + ".", True),
            ("They like " + "internationalisation"[: n - 1] + ".", False),
            ("They like over-the-top-night-life.", False),
        ],
    ),
    Seed(
        name="no_long_words",
        kind="letters",
        query="Explain to a child what a volcano is.",
        instruction=(
            "Use easy words: none may have more than $n letters. The parts of a hyphenated word count separately."
        ),
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # An apostrophe belongs to its word but is no letter: "doesn't" has six letters.
    words = re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", response)
    lengths = [sum(c.isalpha() for c in word) for word in words]
    # Without any word there is no answer.
    return 0 < max(lengths, default=0) <= $n
""",
        parameters={"n": (7, 9, 11)},
        cases=lambda n: [
            ("It is a hill with a hot heart. At times it spits fire.", True),
            ("Hot rock comes up and flows down.", True),
            ("It is a mountainous vent of incandescent rock.", False),
            ("An extraordinarily hot hill.", False),
        ],
        boundary=lambda n: [
            ("A " + "incandescently"[:n] + " hill.", True),
            ("A " + "incandescently"[: n + 1] + " hill.", False),
            ("A red-hot-rock-hill.", True),
            ("123", False),
        ],
    ),
    Seed(
        name="acrostic",
        kind="letters",
        query="Write a little poem about spring.",
        instruction=(
            'Write nothing but one line for each letter of "$word". '
            "Read from top to bottom, the first letters of the lines must spell that word."
        ),
        verifier=r"""
def evaluate(response: str) -> bool:
    # Take the first letter of each line, past bullets and bold marks; empty lines are skipped.
    firsts = [next((c for c in line if c.isalpha()), "?") for line in response.splitlines() if line.strip()]
    return "".join(firsts).upper() == $word
""",
        parameters={"word": ("SUN", "NEST", "TUNA")},
        cases=acrostics,
        boundary=lambda word: [
            ("\n\n".join(LINES[letter].lower() for letter in word), True),
            ("\n".join(LINES[letter] for letter in word[:-1]), False),
            ("\n".join(LINES[letter] for letter in word + "S"), False),
            ("\n".join(word), True),
        ],
        general=False,
    ),
    Seed(
        name="lines_with_initial",
        kind="letters",
        query="Give me encouraging words for a hard week.",
        instruction='Write at least three lines. The first letter on each, small or capital, must be "$letter".',
        verifier=r"""
def evaluate(response: str) -> bool:
    # Bullets, numbers and quotation marks in front are not letters; a line without letters fails.
    firsts = [next((c for c in line if c.isalpha()), "?") for line in response.splitlines() if line.strip()]
    return len(firsts) >= 3 and all(c.lower() == $letter for c in firsts)
""",
        parameters={"letter": ("t", "s", "y")},
        cases=lambda letter: [
            ("\n".join(f"{letter.upper()}{tail}" for tail in ("o rest is fine.", "ou will see.", "ay calm.")), True),
            (f"- {letter}o we go on.\n- {letter}o we rest.\n- {letter}o we laugh.", True),
            ("Keep going.\nRest well.\nLaugh often.", False),
            (f"{letter.upper()}o we rest. {letter.upper()}o we laugh.", False),
        ],
        boundary=lambda letter: [
            (f"{letter}a\n{letter}o", False),
            (f"{letter}a\n\n{letter}o\n'{letter.upper()}e'", True),
            (f"{letter}a\n{letter}o\n{letter}e\nEnd", False),
            (f"1. {letter}a\n2. {letter}o\n3. {letter}e", True),
            (f"{letter}a\n{letter}o\n3", False),
        ],
        general=False,
    ),
    Seed(
        name="first_letter",
        kind="letters",
        query="What makes a good leader?",
        instruction='Begin your answer with a word whose first letter is "$letter", small or capital.',
        verifier=r"""
def evaluate(response: str) -> bool:
    # Skip quotation marks, bold marks and the like in front of the first letter.
    first = next((c for c in response if c.isalpha()), "")
    return first.lower() == $letter
""",
        parameters={"letter": ("a", "t", "s")},
        cases=lambda letter: [
            (f'"{letter.upper()}" is for listening, one might say.', True),
            ({"a": "A", "t": "The", "s": "Such a"}[letter] + " leader listens first.", True),
            ("Good leaders listen first.", False),
            ("Leaders listen, always, to the same people.", False),
        ],
        boundary=lambda letter: [(f"**{letter}nd so on.**", True), (f"1. {letter}", True), (f"B{letter}", False)],
    ),
)

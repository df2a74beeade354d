"""Seeds about how long the answer is."""

from autoif.seeds.prose import SENTENCES, words
from autoif.seeds.seed import Seed

BICYCLE = (
    "Look at the frame first and walk away if you see cracks near the welds. Spin both wheels and watch that they run "
    "straight between the brake pads. Squeeze the brakes, shift through every gear, and listen for grinding. Check the "
    "chain for rust and the tyres for splits. Lift the front and turn the handlebar to feel for rough bearings. Take a "
    "short ride before you pay, because a bike that pulls to one side will never feel right. Ask why it is being sold, "
    "ask for the receipt, and compare the serial number with a register of stolen bikes. Set aside some money for new "
    "cables and pads."
)
SLEEP = (
    "Go to bed and get up at the same time every day, even on weekends. Keep the bedroom dark, cool and quiet. Stop "
    "drinking coffee after lunch, because caffeine stays in the body for hours. Put the phone in another room and read "
    "something calm instead. A short walk in the morning light helps your inner clock. If you cannot fall asleep after "
    "twenty minutes, get up, sit somewhere dim, and go back when you feel tired. Eat your last large meal three hours "
    "before bed. Write down what worries you, so that it can wait until tomorrow. Most people notice a change within "
    "two weeks of doing this."
)
TEA = (
    "Bring fresh water to the boil.",
    "Warm the pot with a little of it.",
    "Add one spoon of leaves for each cup.",
    "Let it stand for four minutes.",
    "Pour it through a strainer.",
    "Enjoy it while it is hot.",
)

SEEDS = (
    Seed(
        name="at_most_n_words",
        kind="length",
        query="What should I look at before I buy a used bicycle?",
        instruction="Keep your whole answer to at most $n words.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # A word is whatever stands between blanks (or long dashes) and holds a letter or a digit,
    # so a bullet "-" is no word and "well-known" is one word.
    words = [w for w in response.replace("—", " ").split() if any(c.isalnum() for c in w)]
    # An empty answer has no words and does not follow.
    return 0 < len(words) <= $n
""",
        parameters={"n": (25, 50, 80)},
        cases=lambda n: [
            ("Check the frame for cracks, then the brakes, gears and wheels. Ride it before you pay.", True),
            (words(BICYCLE, n - 6), True),
            (words(BICYCLE, n + 8), False),
            ("", False),
        ],
        boundary=lambda n: [
            (words(BICYCLE, n), True),
            (words(BICYCLE, n + 1), False),
            ("- " + words(BICYCLE, n), True),
        ],
    ),
    Seed(
        name="at_least_n_words",
        kind="length",
        query="I keep waking up tired. How can I sleep better?",
        instruction="Please go into some detail: write at least $n words.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Count what stands between blanks and holds a letter or a digit; bare symbols are not words.
    words = [w for w in response.replace("—", " ").split() if any(c.isalnum() for c in w)]
    return len(words) >= $n
""",
        parameters={"n": (40, 60, 90)},
        cases=lambda n: [
            (words(SLEEP, n + 5), True),
            (words(SLEEP, n // 2), False),
            ("Go to bed at the same time every day.", False),
            (SLEEP, True),
        ],
        boundary=lambda n: [
            (words(SLEEP, n), True),
            (words(SLEEP, n - 1), False),
            (words(SLEEP, n - 1) + "\n- *", False),
        ],
    ),
    Seed(
        name="between_low_and_high_words",
        kind="length",
        query="Explain to my teenage son why regular bedtimes matter.",
        instruction="The answer should be no shorter than $low words and no longer than $high words.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Both limits are allowed. A word stands between blanks and holds a letter or a digit.
    words = [w for w in response.replace("—", " ").split() if any(c.isalnum() for c in w)]
    return $low <= len(words) <= $high
""",
        parameters={"low": (20, 40), "high": (60, 80)},
        cases=lambda low, high: [
            (words(SLEEP, low + 10), True),
            ("A regular bedtime keeps your inner clock steady.", False),
            (words(SLEEP, high - 5), True),
            (words(SLEEP, high + 15), False),
        ],
        boundary=lambda low, high: [
            (words(SLEEP, low), True),
            (words(SLEEP, low - 1), False),
            (words(SLEEP, high), True),
            (words(SLEEP, high + 1), False),
        ],
    ),
    Seed(
        name="exactly_n_sentences",
        kind="length",
        query="How do I make a proper cup of loose-leaf tea?",
        instruction="Answer in a single paragraph of exactly $n sentences.",
        verifier=rf"""
def evaluate(response: str) -> bool:
    import re
    text = response.strip()
    # A single paragraph has no line breaks inside, so lists and headings fail.
    if len(text.splitlines()) != 1:
        return False
{SENTENCES}
    return len(sentences(text)) == $n
""",
        parameters={"n": (2, 3, 4)},
        cases=lambda n: [
            (" ".join(TEA[:n]), True),
            (" ".join(TEA[: n + 2]), False),
            ("Pour boiling water over the leaves and wait.", False),
            ("\n".join(f"- {step}" for step in TEA[:n]), False),
            ("Use fresh water! " + " ".join(TEA[1:n]), True),
        ],
        boundary=lambda n: [
            (" ".join(TEA[: n - 1]) + " Use hot water, e.g. 3.5 cups, etc. for a pot.", True),
            (" ".join(TEA[: n - 1]) + ' "Ready?" you may ask. Yes.', False),
            (" ".join(TEA[: n - 1]), False),
            (" ".join(TEA[: n + 1]), False),
        ],
    ),
    Seed(
        name="at_most_n_sentences",
        kind="length",
        query="My friend asks why I brew tea from leaves. What can I say?",
        instruction="Be brief: one paragraph, no more than $n sentences.",
        verifier=rf"""
def evaluate(response: str) -> bool:
    import re
    text = response.strip()
    # One paragraph means no line breaks inside; an empty answer does not follow.
    if len(text.splitlines()) != 1:
        return False
{SENTENCES}
    return 1 <= len(sentences(text)) <= $n
""",
        parameters={"n": (2, 3, 5)},
        cases=lambda n: [
            ("Loose leaves have more flavour than dust in a bag.", True),
            (" ".join(TEA[:n]), True),
            (" ".join(TEA[: n + 1]) + " That is all.", False),
            ("It tastes better.\n\nIt is cheaper.", False),
        ],
        boundary=lambda n: [
            (" ".join(TEA[: n - 1]) + " Dr. Lee and J. B. Moss agree.", True),
            (" ".join(TEA[: n + 1]), False),
            ("", False),
        ],
    ),
    Seed(
        name="at_most_n_characters",
        kind="length",
        query="Write a message to my neighbour: the parcel for her is at our place.",
        instruction="It must fit into $n characters, counting spaces and punctuation.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Blank space around the answer is not part of the message.
    text = response.strip()
    return 0 < len(text) <= $n
""",
        parameters={"n": (120, 200, 280)},
        cases=lambda n: [
            ("Hi Ana, your parcel came to us today. Ring the bell any time after six and we will hand it over.", True),
            ("Your parcel is with us. Come by when you like.", True),
            ("Hi Ana! " + "The parcel is safe in our hall and you can pick it up whenever it suits you. " * 4, False),
            ("Dear Ana, " + words(SLEEP, 60), False),
        ],
        boundary=lambda n: [
            (("Your parcel is with us. " * 20)[: n - 1] + "!", True),
            (("Your parcel is with us. " * 20)[:n] + "!", False),
        ],
    ),
    Seed(
        name="sentences_of_at_most_n_words",
        kind="length",
        query="Describe what happens in a car engine.",
        instruction="Use short sentences only. None of them may have more than $n words.",
        verifier=rf"""
def evaluate(response: str) -> bool:
    import re
{SENTENCES}
    # A line break ends a sentence too, so that the items of a list count one by one.
    found = [s for line in response.splitlines() if line.strip() for s in sentences(line)]
    lengths = [sum(any(c.isalnum() for c in w) for w in s.split()) for s in found]
    return 0 < max(lengths, default=0) <= $n
""",
        parameters={"n": (10, 15, 20)},
        cases=lambda n: [
            ("Fuel and air enter the cylinder. A spark lights them. The blast pushes the piston.", True),
            ("It burns fuel. " + "The piston turns the crank and " * (n // 4) + "the wheels turn.", False),
            ("A piston moves. A valve opens.\n\nSmoke leaves.", True),
            (words(BICYCLE.replace(".", ",").lower(), n + 4).capitalize(), False),
        ],
        boundary=lambda n: [
            ("It starts. " + words("the " + "spark lights the fuel and " * 5, n), True),
            ("It starts. " + words("the " + "spark lights the fuel and " * 5, n + 1), False),
            ("", False),
        ],
    ),
    Seed(
        name="single_word",
        kind="length",
        query="Is a tomato a fruit or a vegetable, botanically speaking?",
        instruction="Answer with a single word and no explanation.",
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # A full stop or bold marks around the word do no harm; "well-known" would be one word.
    words = re.findall(r"[^\W_]+(?:[-'’][^\W_]+)*", response)
    return len(words) == 1
""",
        cases=lambda: [
            ("Fruit", True),
            ("Fruit.", True),
            ("A fruit.", False),
            ("Botanically, a tomato is a fruit.", False),
            ("", False),
        ],
        boundary=lambda: [("**Fruit**\n", True), ("Fruit—berry", False), ("...", False)],
        general=False,
    ),
)

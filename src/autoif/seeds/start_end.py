"""Seeds about how the answer begins and ends."""

from autoif.seeds.prose import SENTENCES
from autoif.seeds.seed import Seed

SEEDS = (
    Seed(
        name="start_with_word",
        kind="start_end",
        query="Is it a good idea to learn Latin?",
        instruction='Start your answer with the word "$word".',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # The first word, past quotation or bold marks; capitals do not matter. "Yes-men" is not "yes".
    words = re.findall(r"[^\W_]+(?:[-'’][^\W_]+)*", response.lower())
    return bool(words) and words[0] == $word.lower()
""",
        parameters={"word": ("Honestly", "The", "Yes", "Imagine")},
        cases=lambda word: [
            (f"{word}, it depends on what you want to read.", True),
            (f"{word}: Latin helps with many languages.", True),
            ("It depends on what you want to read.", False),
            (f"Latin? {word}, it depends.", False),
        ],
        boundary=lambda word: [
            (f'"{word.lower()}" is my reply.', True),
            (f"{word}-minded people do.", False),
            (f"{word}s and more.", False),
            (f"**{word}**", True),
        ],
    ),
    Seed(
        name="end_with_sentence",
        kind="start_end",
        query="How do I get red wine out of a tablecloth?",
        instruction='Finish with this exact sentence, and write nothing after it: "$closing"',
        verifier=r"""
def evaluate(response: str) -> bool:
    # The sentence may be set in bold or in quotation marks; apart from that it has to match exactly.
    text = response.rstrip().rstrip("*_\"'”’ ")
    before = text.removesuffix($closing)
    # It has to be there, and must not be the tail of a longer word.
    return before != text and not before[-1:].isalnum()
""",
        parameters={"closing": ("Hope this helps!", "That is all there is to it.", "Good luck with it.")},
        cases=lambda closing: [
            (f"Pour salt on it, wait, and rinse with cold water. {closing}", True),
            (f"Use soda water.\n\n{closing}", True),
            ("Pour salt on it, wait, and rinse with cold water.", False),
            (f"{closing} But first, pour salt on it.", False),
        ],
        boundary=lambda closing: [
            (f"Use salt. {closing.upper()}", False),
            (f"Use salt. {closing[:-1]}", False),
            (f"Use salt. **{closing}**", True),
            (f"Use salt. {closing} Bye.", False),
        ],
    ),
    Seed(
        name="end_with_question",
        kind="start_end",
        query="I would like to start a small vegetable garden.",
        instruction="Close with a question to me.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Look at the last letter, digit or stop; quotation marks, brackets and emoji may come after it.
    ends = [c for c in response if c.isalnum() or c in ".!?？…"]
    # "?!" still ends a question. There has to be a question before the sign.
    while ends and ends[-1] == "!" and ends[-2:-1] in (["?"], ["!"]):
        ends.pop()
    return any(c.isalnum() for c in response) and ends[-1] in "?？"
""",
        cases=lambda: [
            ("Begin with beans and lettuce, they grow anywhere. How much sun does your garden get?", True),
            ("Beans are easy. Do you have a sunny spot?", True),
            ("Begin with beans and lettuce.", False),
            ("Do you have a sunny spot? If so, begin with beans.", False),
        ],
        boundary=lambda: [
            ('Ask yourself: "Do I have time?" 🌱', True),
            ("Do you? Yes!", False),
            ("Really?!", True),
            ("?", False),
        ],
    ),
    Seed(
        name="open_with_question",
        kind="start_end",
        query="Write an introduction for an article about plastic in the oceans.",
        instruction="Begin directly with a question; no title or heading may come before it.",
        verifier=rf"""
def evaluate(response: str) -> bool:
    import re
{SENTENCES}
    # A heading or a title would be first, so only the first line with text matters.
    first_line = response.strip().partition("\n")[0]
    found = sentences(first_line)
    # Quotation or bold marks may follow the question mark.
    return bool(found) and found[0].rstrip("\"'”’)*_ !").endswith("?")
""",
        cases=lambda: [
            ("What happens to a bottle after you drop it? It travels far.", True),
            ("Have you seen a clean beach lately?\n\nThey are rare.", True),
            ("Every year tons of plastic reach the sea. Why is that?", False),
            ("# Plastic\n\nWhere does it come from?", False),
        ],
        boundary=lambda: [
            ('"Where do bottles go?" That is what we ask.', True),
            ("Ever heard of Dr. Moore, e.g. on TV? He found it.", True),
            ("Plastic! Where does it go?", False),
            ("?", False),
        ],
    ),
    Seed(
        name="postscript",
        kind="start_end",
        query="Write a thank-you note to my old maths teacher.",
        instruction='Add a postscript: the last line must start with "P.S." and say something.',
        verifier=r"""
def evaluate(response: str) -> bool:
    lines = [line.strip().lstrip("*_ ") for line in response.splitlines() if line.strip()]
    # A postscript comes after something, so there are at least two lines.
    if len(lines) < 2 or not lines[-1].startswith("P.S."):
        return False
    return any(c.isalnum() for c in lines[-1][4:])
""",
        cases=lambda: [
            ("Dear Ms Roth, thank you for your patience.\n\nP.S. I still hate fractions.", True),
            ("Thank you for everything.\nYours, Ben\nP.S.: I became an engineer!", True),
            ("Dear Ms Roth, thank you for your patience.\nYours, Ben", False),
            ("P.S. I still hate fractions.\n\nThank you, Ms Roth.", False),
            ("Thank you for your patience. P.S. I became an engineer.", False),
        ],
        boundary=lambda: [
            ("Thank you.\n\n**P.S.** See you in May.", True),
            ("Thank you.\n\nP.S.", False),
            ("P.S. Thank you.", False),
            ("Thank you.\nPS See you.", False),
        ],
        general=False,
    ),
    Seed(
        name="wrap_in_quotes",
        kind="start_end",
        query="What would a wise grandmother say about worrying?",
        instruction="Put your entire answer in one pair of double quotation marks, and use no others inside.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Curly marks are fine; make them straight to compare.
    text = response.strip().replace("“", '"').replace("”", '"')
    # One mark at each end, none in between, and something to read.
    inside = text[1:-1]
    return text.startswith('"') and text.endswith('"') and '"' not in inside and any(c.isalnum() for c in inside)
""",
        cases=lambda: [
            ('"Worry is a rocking chair, dear. It moves, but it goes nowhere."', True),
            ("“Eat something first.\n\nThen worry.”", True),
            ("Worry is a rocking chair, dear.", False),
            ('She would say: "Eat something first."', False),
        ],
        boundary=lambda: [
            ('"Eat," she said, "then worry."', False),
            ('"Eat first', False),
            ('""', False),
            ("'Eat first.'", False),
        ],
    ),
    Seed(
        name="same_first_and_last_word",
        kind="start_end",
        query="Write a few lines about the sea.",
        instruction="Let the first word of your answer also be its last word.",
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Compare without capitals and punctuation; hyphens and apostrophes belong to a word.
    words = re.findall(r"[^\W_]+(?:[-'’][^\W_]+)*", response.lower())
    # With a single word, first and last would be the same one: ask for two.
    return len(words) >= 2 and words[0] == words[-1]
""",
        cases=lambda: [
            ("Blue is the water, and the sky above is blue.", True),
            ("Waves come in and go out.\nNothing is older than waves", True),
            ("The sea is deep and blue.", False),
            ("Blue water, grey sky.", False),
        ],
        boundary=lambda: [("Sea", False), ("**Sea**, oh *sea*!", True), ("Sea of seas", False)],
    ),
    Seed(
        name="end_with_word",
        kind="start_end",
        query="Give a toast for my parents' anniversary.",
        instruction='The last word of your answer has to be "$word".',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Punctuation, quotation marks and emoji after the word do no harm, nor do capitals.
    words = re.findall(r"[^\W_]+(?:[-'’][^\W_]+)*", response.lower())
    return bool(words) and words[-1] == $word
""",
        parameters={"word": ("together", "always", "you")},
        cases=lambda word: [
            (f"To forty years of love and laughter. As we like to say: {word}!", True),
            (f"Thirty years ago they said yes, and here is why: {word}", True),
            (f"{word.title()} is what they said. Cheers!", False),
            ("To forty years of love and laughter.", False),
        ],
        boundary=lambda word: [
            (f'"...{word.upper()}." 🥂', True),
            (f"To them, {word}-ish", False),
            (f"To them, {word}. Cheers", False),
        ],
    ),
    Seed(
        name="no_filler_opening",
        kind="start_end",
        query="Can you explain how a heat pump works?",
        instruction='Do not open with "Sure", "Certainly", "Of course" or "Absolutely": get straight to the point.',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Compare word by word, so that "Surely" or "Absolute zero" may open an answer.
    words = re.findall(r"[^\W_]+", response.lower())
    if not words:
        return False
    return words[0] not in ("sure", "certainly", "absolutely") and words[:2] != ["of", "course"]
""",
        cases=lambda: [
            ("A heat pump moves heat from outside into the house.", True),
            ("It is a fridge in reverse.", True),
            ("Sure! A heat pump moves heat.", False),
            ("Of course. It is a fridge in reverse.", False),
        ],
        boundary=lambda: [
            ("Surely you know a fridge.", True),
            ('"Absolutely": it moves heat.', False),
            ("Of all pumps, it is the best, of course.", True),
            ("**Certainly**", False),
        ],
    ),
    Seed(
        name="last_line_of_n_hashtags",
        kind="start_end",
        query="Write a post about my first half marathon.",
        instruction="End with a line that holds exactly $n hashtags, separated by blanks, and nothing else.",
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    lines = [line.strip() for line in response.splitlines() if line.strip()]
    # The line ends a post, so there is text above it.
    if len(lines) < 2:
        return False
    tags = lines[-1].split()
    # A hashtag is a # and letters, digits or underscores.
    return len(tags) == $n and all(re.fullmatch(r"#\w+", tag) for tag in tags)
""",
        parameters={"n": (2, 3, 4)},
        cases=lambda n: [
            ("Two hours, one blister, no regrets.\n\n" + " ".join(("#run", "#half", "#done", "#joy")[:n]), True),
            ("I did it!\n" + "#run " * (n - 1) + "#13miles", True),
            ("I did it! " + "#run " * n, False),
            ("I did it!\n" + "run " * n, False),
            ("Two hours, one blister, no regrets.", False),
        ],
        boundary=lambda n: [
            ("I did it!\n" + "#run " * (n - 1), False),
            ("I did it!\n" + "#run " * (n + 1), False),
            ("I did it!\n" + "#run " * (n - 1) + "# run", False),
        ],
        general=False,
    ),
)

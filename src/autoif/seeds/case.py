"""Seeds about capital and small letters."""

from autoif.seeds.seed import Seed

SEEDS = (
    Seed(
        name="all_lowercase",
        kind="case",
        query="text my sister that dinner is moved to eight",
        instruction="Use lowercase letters only, without a single capital.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Digits and signs have no case. There has to be at least one letter to look at.
    return any(c.isalpha() for c in response) and not any(c.isupper() for c in response)
""",
        cases=lambda: [
            ("hi! dinner is at eight now, not at seven. see you there.", True),
            ("change of plan: we eat at 8.", True),
            ("Hi! Dinner is at eight now.", False),
            ("dinner moved to eight. Love, me", False),
            ("DINNER AT EIGHT", False),
        ],
        boundary=lambda: [("we meet at eight, says mom and I agree", False), ("8:00!", False), ("ok, 8:00!", True)],
    ),
    Seed(
        name="all_uppercase",
        kind="case",
        query="Make a sign that asks people to close the garden gate.",
        instruction="Write everything in capital letters.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Digits and punctuation have no case, so only look for small letters; an answer needs some letter.
    return any(c.isupper() for c in response) and not any(c.islower() for c in response)
""",
        cases=lambda: [
            ("PLEASE CLOSE THE GATE. THE DOG RUNS AWAY!", True),
            ("GATE SHUT, DOG HAPPY.", True),
            ("Please close the gate.", False),
            ("PLEASE close the gate.", False),
            ("please close the gate", False),
        ],
        boundary=lambda: [("CLOSE THE GATE, PLEASe", False), ("24/7: SHUT!", True), ("24/7!", False)],
    ),
    Seed(
        name="at_least_n_words_in_capitals",
        kind="case",
        query="Remind the swimming class of the rules at the pool.",
        instruction="Stress at least $n words by writing them in capital letters only. One-letter words do not count.",
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Look at runs of letters, so that "STOP!" and "**NEVER**" count as words in capitals.
    words = re.findall(r"[^\W\d_]+", response)
    # "I" and "A" are always written like that, so one letter is not enough.
    return sum(len(word) > 1 and word.isupper() for word in words) >= $n
""",
        parameters={"n": (2, 3, 4)},
        cases=lambda n: [
            ("NEVER run at the pool. ALWAYS shower first. Do NOT dive. Stay TOGETHER.", True),
            ("Please walk, shower first, and do not dive.", False),
            ("Please DO " + "NOT " * (n - 1) + "run.", True),
            ("I say: A Rule Is A Rule.", False),
        ],
        boundary=lambda n: [
            ("You " + "MUST not run. You " * n + "may swim.", True),
            ("You " + "MUST not run. You " * (n - 1) + "may swim.", False),
            ("You " + "MUST not run. You " * (n - 1) + "and I may swim.", False),
        ],
    ),
    Seed(
        name="word_always_in_capitals",
        kind="case",
        query="Explain how vaccines train the body.",
        instruction='Use the word "$word" at least twice, and write it in capital letters every time.',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Find the word however it is written; longer words that contain it are other words.
    found = [w for w in re.findall(r"[^\W_]+", response) if w.lower() == $word]
    # Every one of them has to be in capitals.
    return len(found) >= 2 and all(w.isupper() for w in found)
""",
        parameters={"word": ("body", "time", "first")},
        cases=lambda word: [
            (f"The {word.upper()} comes up here. Then the {word.upper()} comes up again.", True),
            (f"The {word} comes up here. Then the {word} comes up again.", False),
            (f"The {word.upper()} comes up here, and then the {word} again.", False),
            ("A vaccine shows the cells a harmless part of a germ.", False),
        ],
        boundary=lambda word: [
            (f"Only one {word.upper()} is in this answer.", False),
            (f"{word.title()} here, {word.upper()} there, {word.upper()} again.", False),
            (f"({word.upper()}) and **{word.upper()}**", True),
            (f"{word.upper()}, {word.upper()}, any{word}", True),
        ],
    ),
    Seed(
        name="first_line_in_capitals",
        kind="case",
        query="Draft a notice about the water being off on Friday.",
        instruction="Make the first line a headline in capital letters. Write the lines after it in normal case.",
        verifier=r"""
def evaluate(response: str) -> bool:
    lines = [line for line in response.splitlines() if line.strip()]
    # There has to be a headline and something below it.
    if len(lines) < 2:
        return False
    # isupper() is true when there are letters and all of them are capitals; digits do not matter.
    body = " ".join(lines[1:])
    return lines[0].isupper() and any(c.islower() for c in body)
""",
        cases=lambda: [
            ("WATER OFF ON FRIDAY\n\nThe water is off from nine to noon. Please fill a bucket.", True),
            ("# NO WATER, 9-12\nPlease plan ahead.", True),
            ("Water Off on Friday\n\nThe water is off from nine to noon.", False),
            ("The water is off on Friday from nine to noon.", False),
            ("WATER OFF!\nFILL A BUCKET!", False),
        ],
        boundary=lambda: [
            ("WATER OFF ON FRIDAY", False),
            ("WATER OFF on FRIDAY\nPlease plan ahead.", False),
            ("2026\nPlease plan ahead.", False),
            ("**WATER: 9 TO 12**\nSorry!", True),
        ],
    ),
    Seed(
        name="lines_start_with_capitals",
        kind="case",
        query="Write four lines about autumn in the city.",
        instruction="The first letter on each line must be a capital.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Skip bullets, numbers and quotation marks: what counts is the first letter of a line.
    firsts = [next((c for c in line if c.isalpha()), "") for line in response.splitlines()]
    # Lines without a letter say nothing; an answer without any letter does not follow.
    firsts = [c for c in firsts if c]
    return bool(firsts) and all(c.isupper() for c in firsts)
""",
        cases=lambda: [
            ("Leaves blow past the tram.\nThe coffee steams.\nScarves are back.", True),
            ("- Wet streets\n- Early lamps\n- Warm bread", True),
            ("Leaves blow past the tram,\nand the coffee steams.", False),
            ("leaves blow\npast the tram", False),
        ],
        boundary=lambda: [
            ('1. "Rain," he said.\n\n2. Rain it was.', True),
            ("Rain.\n\n* rain again", False),
            ("1. 2. 3.", False),
        ],
    ),
    Seed(
        name="title_case",
        kind="case",
        query="Suggest a name and a slogan for my bakery.",
        instruction="Start every single word with a capital letter, small words like Of And The included.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Words stand between blanks. Drop signs in front, such as quotation marks or a bullet.
    words = [w.lstrip("*_#-–—•\"'“‘([ ") for w in response.split()]
    # Words that start with a digit have no capital to check.
    firsts = [w[0] for w in words if w and w[0].isalpha()]
    return bool(firsts) and all(c.isupper() for c in firsts)
""",
        cases=lambda: [
            ("The Warm Crumb: Bread For Every Morning", True),
            ("Flour And Fire. Baked By Hand, Loved By All.", True),
            ("The Warm Crumb: bread for every morning", False),
            ("Flour and Fire: Baked by Hand", False),
            ("try flour and fire.", False),
        ],
        boundary=lambda: [
            ('"The 3rd Loaf" - Fresh At 6 O\'clock', True),
            ("The Warm Crumb, Bread For all", False),
            ("- Well-made Bread", True),
            ("3 4 5", False),
        ],
    ),
)

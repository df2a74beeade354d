"""Seeds about what comes before what."""

from autoif.seeds.prose import SENTENCES
from autoif.seeds.seed import Seed

PLACES = ("Athens", "Bergen", "Cairo", "Delhi", "Essen")
POINTS = ("Read it once.", "Take notes.", "Sleep on it.", "Ask a friend.", "Check the dates.", "Sign it.")


def countdown(start: int, end: int = 1) -> str:
    return "\n".join(f"{number}. {POINTS[number - 1]}" for number in range(start, end - 1, -1))


def bullets(items: tuple[str, ...]) -> str:
    return "\n".join(f"- {item}" for item in items)


SEEDS = (
    Seed(
        name="word_before_word",
        kind="order",
        query="Why do companies fail even when their product is good?",
        instruction='Use both "$first" and "$second", and mention "$first" before you mention "$second".',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Whole words, any capitals. What counts is where each is mentioned first.
    words = re.findall(r"[^\W_]+", response.lower())
    if $first not in words or $second not in words:
        return False
    return words.index($first) < words.index($second)
""",
        parameters={"first": ("money", "people"), "second": ("time", "luck")},
        cases=lambda first, second: [
            (f"Some run out of {first}, others out of {second}.", True),
            (f"{first.title()} goes first. Then {second} goes, and {first} is gone.", True),
            (f"Some run out of {second}, others out of {first}.", False),
            (f"They run out of {first}.", False),
            ("They forget their customers.", False),
        ],
        boundary=lambda first, second: [
            (f"{second}, {first}, {second}", False),
            (f"{first.upper()} / {second.upper()}", True),
            (f"{first}-{second}s", False),
        ],
    ),
    Seed(
        name="alphabetical_bullets",
        kind="order",
        query="Which cities could I visit on a trip around the world?",
        instruction='Give at least three bullet points, each starting with "- ", sorted alphabetically from A to Z.',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    import unicodedata
    # Sort É like E: take accents off by splitting each letter into its base and its marks.
    plain = "".join(c for c in unicodedata.normalize("NFKD", response) if not unicodedata.combining(c))
    lines = [line.strip() for line in plain.splitlines()]
    bullets = [line[2:].lower() for line in lines if line.startswith("- ")]
    # Sort by words, as in a phone book: bold marks and punctuation do not matter.
    keys = [re.findall(r"[^\W_]+", bullet) for bullet in bullets]
    # An empty bullet cannot be sorted. Other lines, such as an introduction, are allowed.
    return len(keys) >= 3 and all(keys) and keys == sorted(keys)
""",
        cases=lambda: [
            (bullets(PLACES), True),
            ("You could visit:\n\n- Lima: great food\n- Oslo: quiet\n- Rome: old stones", True),
            ("- Rome\n- Lima\n- Oslo", False),
            ("Athens, Bergen and Cairo.", False),
            ("* Athens\n* Bergen\n* Cairo", False),
        ],
        boundary=lambda: [
            ("- Lima\n- Rome", False),
            ("- Evry\n- Évora\n- **Rome**", False),
            ("- lima\n- **Łódź**\n- Rome", False),
            ("- Évora\n- **evry**\n- Rome", True),
            ("- Rome\n- Romeo\n- Rome", False),
            ("- Lima\n- Oslo\n- Rome\n- Paris", False),
        ],
        general=False,
    ),
    Seed(
        name="growing_lines",
        kind="order",
        query="Write a few lines about how a rumour spreads.",
        instruction="Write $n lines, and give every line more words than the line before.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Empty lines are only space between the lines. Bare symbols are not words.
    lines = [line.split() for line in response.splitlines() if line.strip()]
    counts = [sum(any(c.isalnum() for c in word) for word in line) for line in lines]
    growing = all(a < b for a, b in zip(counts, counts[1:]))
    # The first line needs a word too.
    return len(counts) == $n and counts[0] > 0 and growing
""",
        parameters={"n": (3, 4)},
        cases=lambda n: [
            (
                "\n".join(
                    (
                        "Psst.",
                        "Did you hear?",
                        "They say he sold the house.",
                        "By noon the town knew that he had sold two.",
                    )[:n]
                ),
                True,
            ),
            (
                "\n".join(
                    ("A whisper.", "Three people talk.", "The whole street knows.", "And now it is in the news.")[:n]
                ),
                True,
            ),
            ("\n".join(("The whole street knows.", "They talk.", "A whisper.", "Psst.")[:n]), False),
            ("First one person knows. Then two. Then everybody.", False),
        ],
        boundary=lambda n: [
            ("\n".join("go " * i for i in range(1, n + 1)), True),
            ("\n".join("go " * i for i in range(1, n)), False),
            ("\n".join("go " * max(i, 2) for i in range(1, n + 1)), False),
            ("\n".join("go " * i for i in range(1, n + 2)), False),
        ],
        general=False,
    ),
    Seed(
        name="connectives_in_order",
        kind="order",
        query="How does a letter get from me to my aunt abroad?",
        instruction='Guide the reader with the words "first", "$middle" and "finally", in this order.',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Whole words, any capitals.
    words = iter(re.findall(r"[^\W_]+", response.lower()))
    # Each search goes on where the one before stopped, so the order is checked as well.
    return all(word in words for word in ("first", $middle, "finally"))
""",
        parameters={"middle": ("then", "next", "later")},
        cases=lambda middle: [
            (f"First you post it, {middle} it flies abroad, and finally a postwoman brings it.", True),
            (f"FIRST: the post box. {middle.upper()}: the plane. FINALLY: your aunt.", True),
            ("You post it, it flies, and a postwoman brings it.", False),
            (f"Finally it arrives. {middle.title()} she reads it. First you wrote it.", False),
            ("First you post it, and finally it arrives.", False),
        ],
        boundary=lambda middle: [
            (f"{middle}, first, finally", False),
            (f"{middle}, first, {middle}, finally", True),
            (f"firstly, {middle}, finally", False),
        ],
    ),
    Seed(
        name="countdown",
        kind="order",
        query="What should I do before I sign a rental contract?",
        instruction='Number your points backwards from $n to 1, each on a new line that starts like "$n." or "1.".',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # A point starts its line with a number and a dot ("1.5" is no such number), and has text behind it.
    # Bold or heading marks around the number are fine.
    numbers = re.findall(r"(?m)^[ \t*#]*(\d{1,3})\.(?!\d)[ \t*]*[^\s*]", response)
    # The order matters: from the top number down to 1, no gap and no more.
    return numbers == [str(i) for i in range($n, 0, -1)]
""",
        parameters={"n": (3, 4, 5)},
        cases=lambda n: [
            (countdown(n), True),
            ("Before you sign:\n\n" + countdown(n).replace("\n", "\n\n"), True),
            ("\n".join(reversed(countdown(n).splitlines())), False),
            (" ".join(POINTS[:n]), False),
            ("\n".join(f"- {point}" for point in POINTS[:n]), False),
        ],
        boundary=lambda n: [
            (countdown(n + 1), False),
            (countdown(n, 2), False),
            (countdown(n).replace(f"{n}. ", f"**{n}.** "), True),
            (countdown(n).replace("\n", " "), False),
        ],
    ),
    Seed(
        name="labels_in_order",
        kind="order",
        query="Is it worth repairing a ten-year-old washing machine?",
        instruction=(
            'Use two labels, each at the start of a line and each only once: first "$first:", '
            'and below that "$second:". Write something after both.'
        ),
        verifier=r"""
def evaluate(response: str) -> bool:
    # Bold and heading marks around a label do no harm.
    lines = [line.replace("*", "").strip("# \t") for line in response.splitlines()]
    text = [line for line in lines if line]
    places = [[i for i, line in enumerate(text) if line.startswith(label + ":")] for label in ($first, $second)]
    if [len(p) for p in places] != [1, 1]:
        return False
    start, end = places[0][0], places[1][0]
    # The text may stand behind the label or on the lines below it.
    after_first = end > start + 1 or bool(text[start].partition(":")[2].strip())
    after_second = end + 1 < len(text) or bool(text[end].partition(":")[2].strip())
    return start < end and after_first and after_second
""",
        parameters={"first": ("Answer", "Summary"), "second": ("Reason", "Details")},
        cases=lambda first, second: [
            (f"{first}: No.\n{second}: A new one uses half the water.", True),
            (f"**{first}:**\nProbably not.\n\n**{second}:**\nParts are hard to find.", True),
            (f"{second}: A new one uses half the water.\n{first}: No.", False),
            (f"{first}: No.", False),
            ("No, because a new one uses half the water.", False),
        ],
        boundary=lambda first, second: [
            (f"{first}: No. {second}: Too old.", False),
            (f"{first}: No.\n{second}:", False),
            (f"{first}:\n{second}: Too old.", False),
            (f"{first}: No.\n{second}: Old.\n{second}: Loud.", False),
            (f"Hello!\n{first}: No.\n\n## {second}:\n\nToo old.", True),
        ],
    ),
    Seed(
        name="timeline",
        kind="order",
        query="Give me a short timeline of how people reached the Moon.",
        instruction=(
            "Answer with at least three lines, all of which start with a four-digit year, the earliest year first."
        ),
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    lines = [line.strip() for line in response.splitlines() if line.strip()]
    # A bullet or bold marks may stand before the year; a fifth digit may not follow it.
    years = [re.match(r"[-*•_ ]*([0-9]{4})(?![0-9])", line) for line in lines]
    if len(lines) < 3 or not all(years):
        return False
    # Two events may share a year. Four digits sort like numbers.
    found = [year.group(1) for year in years]
    return found == sorted(found)
""",
        cases=lambda: [
            ("1957: Sputnik orbits.\n1961: Gagarin flies.\n1969: Two people walk on the Moon.", True),
            ("- 1957 Sputnik\n- 1957 Laika\n- **1969** Apollo 11", True),
            ("1969: Apollo 11\n1961: Gagarin\n1957: Sputnik", False),
            ("Timeline:\n1957: Sputnik\n1961: Gagarin\n1969: Apollo 11", False),
            ("In 1957 came Sputnik, in 1969 Apollo 11.", False),
        ],
        boundary=lambda: [
            ("1957: Sputnik\n1969: Apollo 11", False),
            ("1957\n1957\n\n1958", True),
            ("19570 km\n1958\n1959", False),
            ("1957\n1959\n1958", False),
        ],
        general=False,
    ),
    Seed(
        name="repeat_first_sentence",
        kind="order",
        query="Give a one-minute speech on why voting matters.",
        instruction=(
            "Repeat your first sentence word for word as the last one, with something in between. Do not add a title."
        ),
        verifier=rf"""
def evaluate(response: str) -> bool:
    import re
{SENTENCES}
    # Lines end sentences as well, so that verses without full stops work.
    found = [s for line in response.splitlines() if line.strip() for s in sentences(line)]
    # Two equal sentences with nothing between them would not be an answer.
    if len(found) < 3:
        return False
    # Compare the words alone: capitals and punctuation may differ.
    first, last = (re.findall(r"\w+", s.lower()) for s in (found[0], found[-1]))
    return first == last
""",
        cases=lambda: [
            ("Your vote counts. It decides who repairs the roads. Your vote counts.", True),
            ("Speak up! Silence helps nobody. Go and vote. Speak up!", True),
            ("Your vote counts. It decides who repairs the roads.", False),
            ("Your vote counts. It decides much. So your vote counts.", False),
        ],
        boundary=lambda: [
            ("Vote. Vote.", False),
            ("Your vote counts.\n\nIt decides much.\n\n**Your vote counts!**", True),
            ("We vote. You vote. We voted.", False),
        ],
    ),
)

"""Seeds about lists and marks of layout: bullets, steps, headings, titles, bold."""

from autoif.seeds.seed import Seed

SNACKS = ("Apple slices with nuts", "Carrots and hummus", "Plain popcorn", "Yoghurt with berries", "Rye crackers",
          "A boiled egg", "Roasted chickpeas")  # fmt: skip
STEPS = ("Switch the router off.", "Wait for ten seconds.", "Switch it on again.", "Join the network.",
         "Open any web page.", "Call the provider.", "Note the time.")  # fmt: skip
MEMO = ("The office moves in May.", "Boxes arrive next week.", "Label your screens.", "Parking stays free.",
        "Questions go to Mia.")  # fmt: skip


def bullets(items: tuple[str, ...], mark: str = "-") -> str:
    return "\n".join(f"{mark} {item}" for item in items)


def numbered(items: tuple[str, ...], start: int = 1) -> str:
    return "\n".join(f"{number}. {item}" for number, item in enumerate(items, start))


def sections(items: tuple[str, ...], mark: str = "##") -> str:
    return "\n\n".join(f"{mark} Point {number}\n{item}" for number, item in enumerate(items, 1))


def parts(items: tuple[str, ...]) -> str:
    return "\n".join(f"Part {number}: {item}" for number, item in enumerate(items, 1))


SEEDS = (
    Seed(
        name="exactly_n_bullets",
        kind="format",
        query="What can I eat between meals that is not junk?",
        instruction='Include a list of exactly $n bullet points, each on its own line and starting with "- ".',
        verifier=r"""
def evaluate(response: str) -> bool:
    lines = [line.strip() for line in response.splitlines()]
    # An introduction is fine; bullets with another mark would make the list longer, so they fail.
    if any(line.startswith(("* ", "• ", "+ ", "– ")) for line in lines):
        return False
    # A "-" with nothing behind it is no bullet point. Indented bullets count like all others.
    bullets = [line for line in lines if line.startswith("- ") and any(c.isalnum() for c in line)]
    return len(bullets) == $n
""",
        parameters={"n": (3, 4, 5)},
        cases=lambda n: [
            (bullets(SNACKS[:n]), True),
            ("Try one of these:\n\n" + bullets(SNACKS[:n]) + "\n\nEnjoy!", True),
            (bullets(SNACKS[: n - 2]), False),
            (bullets(SNACKS[:n], "*"), False),
            ("Try fruit, nuts or yoghurt.", False),
        ],
        boundary=lambda n: [
            (bullets(SNACKS[: n + 1]), False),
            (bullets(SNACKS[: n - 1]) + "\n- ", False),
            (bullets(SNACKS[: n - 1]) + "\n  - " + SNACKS[n], True),
            (bullets(SNACKS[:n]) + "\n---", True),
        ],
    ),
    Seed(
        name="only_bullets",
        kind="format",
        query="Sum up the office news for people who were away.",
        instruction='Write nothing but bullet points: every line has to begin with "* ".',
        verifier=r"""
def evaluate(response: str) -> bool:
    # Empty lines between the bullets do no harm. Indented bullets are bullets too.
    lines = [line.strip() for line in response.splitlines() if line.strip()]
    # "all" is true for no lines at all, so ask for at least one.
    return bool(lines) and all(line.startswith("* ") for line in lines)
""",
        cases=lambda: [
            (bullets(MEMO[:3], "*"), True),
            (bullets(MEMO, "*"), True),
            ("Here is the news:\n" + bullets(MEMO[:3], "*"), False),
            (bullets(MEMO[:3], "-"), False),
            (" ".join(MEMO), False),
        ],
        boundary=lambda: [
            (bullets(MEMO[:2], "*") + "\n\n  * And one more.", True),
            (bullets(MEMO[:2], "*") + "\n**Bye**", False),
            ("", False),
        ],
    ),
    Seed(
        name="exactly_n_numbered_points",
        kind="format",
        query="My wifi is down. What should I try?",
        instruction="Lay it out as exactly $n numbered points, each on a new line that starts with 1., 2. and so on.",
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # A point starts its line with a number and a dot ("1.5" is no such number), and has text behind it.
    # Bold or heading marks around the number are fine.
    numbers = re.findall(r"(?m)^[ \t*#]*(\d{1,3})\.(?!\d)[ \t*]*[^\s*]", response)
    # They have to count up from 1 without gaps. Other text before or after is allowed.
    return numbers == [str(i) for i in range(1, $n + 1)]
""",
        parameters={"n": (3, 4, 5)},
        cases=lambda n: [
            (numbered(STEPS[:n]), True),
            ("Try this:\n\n" + numbered(STEPS[:n]), True),
            (numbered(STEPS[: n + 2]), False),
            (" ".join(STEPS[:n]), False),
            (bullets(STEPS[:n]), False),
        ],
        boundary=lambda n: [
            (numbered(STEPS[: n - 1]), False),
            (numbered(STEPS[:n], 0), False),
            (numbered(STEPS[: n - 1]) + f"\n{n}. ", False),
            (numbered(STEPS[:n]).replace("1. ", "**1.** "), True),
            (numbered(STEPS[:n]) + "\n1.5 minutes later it works.", True),
        ],
    ),
    Seed(
        name="n_headings",
        kind="format",
        query="Tell the team what they need to know about the move.",
        instruction='Make it exactly $n sections, each under a heading line of its own that begins with "## ".',
        verifier=r"""
def evaluate(response: str) -> bool:
    lines = [line.strip() for line in response.splitlines() if line.strip()]
    # "### " is a smaller heading inside a section and does not count.
    places = [i for i, line in enumerate(lines) if line.startswith("## ") and any(c.isalnum() for c in line)]
    # A section has text below its heading: no two headings in a row, and none on the last line.
    filled = all(i + 1 < len(lines) and i + 1 not in places for i in places)
    return filled and len(places) == $n
""",
        parameters={"n": (2, 3, 4)},
        cases=lambda n: [
            (sections(MEMO[:n]), True),
            ("We move!\n\n" + sections(MEMO[:n]), True),
            (sections(MEMO[:n], "#"), False),
            (bullets(MEMO[:n]), False),
            (" ".join(MEMO), False),
        ],
        boundary=lambda n: [
            (sections(MEMO[: n + 1]), False),
            (sections(MEMO[:n]) + "\n### Details\nSee the plan.", True),
            (sections(MEMO[: n - 1]) + "\n## The end", False),
        ],
    ),
    Seed(
        name="n_labelled_parts",
        kind="format",
        query="Give me an outline for a talk about fixing home internet.",
        instruction='Split it into $n parts. Start each on a new line with its label: "Part 1:", "Part 2:" and so on.',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Bold or heading marks around a label do no harm, and neither do capitals: drop the marks first.
    plain = response.replace("*", "").lower()
    numbers = re.findall(r"(?m)^[ \t#]*part (\d{1,3}):", plain)
    # The labels have to count from 1 to the last part, each once.
    return numbers == [str(i) for i in range(1, $n + 1)]
""",
        parameters={"n": (2, 3, 4)},
        cases=lambda n: [
            (parts(STEPS[:n]), True),
            (parts(STEPS[: n + 2]), False),
            (parts(STEPS[:n]).replace("Part", "Section"), False),
            ("Here you go.\n\n" + parts(STEPS[:n]).replace("\n", "\n\n"), True),
        ],
        boundary=lambda n: [
            (parts(STEPS[:n]).replace("Part 1:", "**Part 1:**"), True),
            (parts(STEPS[:n]).replace(":", " -"), False),
            (parts(STEPS[: n - 1]), False),
            (parts(STEPS[:n]).replace("\n", " "), False),
        ],
    ),
    Seed(
        name="title_line",
        kind="format",
        query="Write a short story about a lighthouse keeper and a lost dog.",
        instruction="Put a title of your own on the first line, between double equals signs, like this: == Title ==",
        verifier=r"""
def evaluate(response: str) -> bool:
    lines = [line.strip() for line in response.splitlines() if line.strip()]
    # The title alone is no answer: there has to be a line after it.
    if len(lines) < 2:
        return False
    first = lines[0]
    # Exactly two equals signs on each side, and some word in between.
    if not (first.startswith("==") and first.endswith("==")):
        return False
    title = first[2:-2]
    return "=" not in title and any(c.isalnum() for c in title)
""",
        cases=lambda: [
            ("== The Wet Dog ==\n\nOld Tom saw a dog on the rocks and rowed out.", True),
            ("==Light==\nThe lamp burned. A bark came from the dark.", True),
            ("# The Wet Dog\n\nOld Tom saw a dog on the rocks.", False),
            ("Old Tom saw a dog on the rocks and rowed out.", False),
            ("Title: The Wet Dog\nOld Tom saw a dog on the rocks.", False),
        ],
        boundary=lambda: [
            ("== The Wet Dog ==", False),
            ("=== The Wet Dog ===\nTom rowed out.", False),
            ("==  ==\nTom rowed out.", False),
            ("\n== 7 Days ==\nTom rowed out.", True),
        ],
    ),
    Seed(
        name="at_least_n_bold",
        kind="format",
        query="What do I need to know before I adopt a kitten?",
        instruction="Set at least $n key words or phrases in bold, with two asterisks on each side, **like this**.",
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Bold text stays on one line, and no blank stands right inside the asterisks.
    marked = re.findall(r"\*\*([^*\n]+)\*\*", response)
    bold = [m for m in marked if m == m.strip() and any(c.isalnum() for c in m)]
    return len(bold) >= $n
""",
        parameters={"n": (2, 3, 4)},
        cases=lambda n: [
            ("You need a **litter tray**, **kitten food**, a **vet** and **time to play**.", True),
            ("You need a litter tray, food, a vet and time to play.", False),
            ("You need a *litter tray*, *food*, a *vet* and *time*.", False),
            ("Kittens need **a vet**, " + "a **bed**, " * (n - 1) + "and love.", True),
        ],
        boundary=lambda n: [
            ("Buy " + "**food** and " * n + "toys.", True),
            ("Buy " + "**food** and " * (n - 1) + "toys.", False),
            ("Buy " + "**food** and " * (n - 1) + "** toys.", False),
            ("**food", False),
        ],
    ),
)

"""Seeds about paragraphs and lines, whatever the language."""

from autoif.seeds.prose import SENTENCES
from autoif.seeds.seed import Seed

LINES = ("Turn off the tap.", "Open the trap.", "Pull out the hair.", "Close it well.", "Run hot water.", "Smile.")
HOME = ("You save time.", "You eat better.", "The cat is glad.", "Trains can be late.")
OFFICE = ("You meet people.", "You get out.", "Work stays at work.", "The coffee is free.", "Lunch is fun.")


def blocks(count: int, gap: str = "\n\n") -> str:
    return gap.join(LINES[:count])


SEEDS = (
    Seed(
        name="exactly_n_paragraphs",
        kind="structure",
        query="Tell me about the history of chess.",
        instruction=(
            "Write exactly $n paragraphs of plain text, without titles or lists, "
            "and leave a blank line between one paragraph and the next."
        ),
        verifier=r"""
def evaluate(response: str) -> bool:
    # Go through the lines: a paragraph begins wherever text follows a blank line or the start.
    count, blank = 0, True
    for line in response.splitlines():
        # Marks of a heading or a list are not plain text.
        if line.lstrip().startswith(("# ", "## ", "### ", "- ", "* ", "1. ")):
            return False
        if line.strip() and blank:
            count += 1
        blank = not line.strip()
    return count == $n
""",
        parameters={"n": (2, 3, 4)},
        cases=lambda n: [
            (
                "\n\n".join(
                    (
                        "Chess began in India.",
                        "The Persians took it west.",
                        "The queen grew strong.",
                        "Computers came last.",
                    )[:n]
                ),
                True,
            ),
            ("Chess began in India. The Persians took it west.", False),
            ("\n".join(("It began in India.", "It went west.", "It grew.", "It stayed.")[:n]), False),
            ("\n\n".join(["It is an old game.\nIt is still young."] * n), True),
        ],
        boundary=lambda n: [
            (blocks(n + 1), False),
            (blocks(n - 1), False),
            (blocks(n, "\n \t\n\n"), True),
            ("## Chess\n\n" + blocks(n - 1), False),
        ],
    ),
    Seed(
        name="exactly_n_lines",
        kind="structure",
        query="How do I unblock a sink?",
        instruction="Your answer must have exactly $n lines, with no empty lines in between.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Blank space around the answer does not count; an empty line inside is against the rule.
    lines = response.strip().splitlines()
    return len(lines) == $n and all(line.strip() for line in lines)
""",
        parameters={"n": (2, 3, 5)},
        cases=lambda n: [
            (blocks(n, "\n"), True),
            ("\n".join(f"{i}. {line}" for i, line in enumerate(LINES[:n], 1)), True),
            (blocks(n, " "), False),
            (blocks(n), False),
        ],
        boundary=lambda n: [
            (blocks(n + 1, "\n"), False),
            (blocks(n - 1, "\n"), False),
            (blocks(n, "\n") + "\n\n", True),
        ],
    ),
    Seed(
        name="single_line",
        kind="structure",
        query="What does HTTP status 404 mean?",
        instruction="Keep everything on one line, with no line breaks.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # One line with something in it; the blank space around it does not matter.
    return len(response.strip().splitlines()) == 1
""",
        cases=lambda: [
            ("The server is there, but the page you asked for is not.", True),
            ("Not found. Check the address. Then try again.", True),
            ("It means: not found.\n\nCheck the address.", False),
            ("- Not found\n- Check the address", False),
        ],
        boundary=lambda: [("Not found.\n", True), ("Not\nfound.", False), ("\n", False)],
    ),
    Seed(
        name="parts_between_marks",
        kind="structure",
        query="Offer me different ways to say no to a wedding invitation.",
        instruction=(
            "Write $n parts. Between one part and the next, put a line with $mark on it and nothing else, "
            "and use no such line before the first part or after the last."
        ),
        verifier=r"""
def evaluate(response: str) -> bool:
    # Cut at the lines that hold the mark alone.
    parts = [""]
    for line in response.splitlines():
        if line.strip() == $mark:
            parts.append("")
        else:
            parts[-1] += line.strip()
    # Every part needs text, which also rules out marks at the start, at the end, or two in a row.
    return len(parts) == $n and all(parts)
""",
        parameters={"n": (2, 3), "mark": ("+++", "=====", "o-o-o")},
        cases=lambda n, mark: [
            (f"\n{mark}\n".join(("Sorry, we are away.", "Thank you, but no.", "I wish I could.")[:n]), True),
            (f"\n\n{mark}\n\n".join(("Alas, no.\n\nLove, Jo", "No, but cheers!", "Not this time.")[:n]), True),
            ("\n\n".join(("Sorry, we are away.", "Thank you, but no.", "I wish I could.")[:n]), False),
            (f"Sorry, we are away. {mark} Thank you, but no.", False),
        ],
        boundary=lambda n, mark: [
            (f"\n{mark}\n".join(LINES[: n + 1]), False),
            (f"\n{mark}\n".join(LINES[:n]) + f"\n{mark}", False),
            (f"\n{mark}{mark}\n".join(LINES[:n]), False),
        ],
    ),
    Seed(
        name="lines_of_at_most_n_characters",
        kind="structure",
        query="Write a text for a small shop window poster about our sale.",
        instruction="Break the lines so that none of them is longer than $n characters.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Blanks at the end of a line cannot be seen and do not count.
    lengths = [len(line.rstrip()) for line in response.splitlines()]
    # An answer without any text has no length.
    return 0 < max(lengths, default=0) <= $n
""",
        parameters={"n": (30, 45, 60)},
        cases=lambda n: [
            ("Summer sale!\nAll shoes half price.\nOnly until Saturday.", True),
            ("Sale", True),
            ("Come in and see our summer sale with all shoes at half price, only until Saturday.", False),
            ("Sale!\n" + "All shoes are at half price until next week" * 2, False),
        ],
        boundary=lambda n: [
            ("Sale!\n" + "shoes " * 20, False),
            ("Sale!\n" + ("shoes " * 20)[: n - 1] + "!", True),
            ("Sale!\n" + ("shoes " * 20)[:n] + "!", False),
        ],
    ),
    Seed(
        name="one_sentence_per_line",
        kind="structure",
        query="What are the rules of musical chairs?",
        instruction="Write at least two lines, and never put more than one sentence on a line.",
        verifier=rf"""
def evaluate(response: str) -> bool:
    import re
{SENTENCES}
    # Empty lines are fine. A line without a full stop, such as a list item, counts as one sentence.
    counts = [len(sentences(line)) for line in response.splitlines() if line.strip()]
    counts = [count for count in counts if count]
    return len(counts) >= 2 and max(counts) == 1
""",
        cases=lambda: [
            ("Set out one chair less than there are players.\nPlay music.\nWhen it stops, everybody sits.", True),
            ("Walk round the chairs!\n\nSit when it is quiet.", True),
            ("Play music. When it stops, everybody sits.", False),
            ("Set out chairs.\nPlay music. Stop it.\nSit.", False),
        ],
        boundary=lambda: [
            ("1. Play music.\n2. Use 3.5 chairs, e.g. stools.", True),
            ("Play music.", False),
            ("Play.\nStop! Sit.", False),
        ],
    ),
    Seed(
        name="n_sentences_per_paragraph",
        kind="structure",
        query="What are the good and bad sides of working from home?",
        instruction="Write at least two paragraphs with a blank line between them, each of exactly $n sentences.",
        verifier=rf"""
def evaluate(response: str) -> bool:
    import re
{SENTENCES}
    # Collect the lines of each paragraph; a line break inside a paragraph is like a blank.
    paragraphs = [""]
    for line in response.splitlines():
        if line.strip():
            paragraphs[-1] += " " + line.strip()
        elif paragraphs[-1]:
            paragraphs.append("")
    counts = [len(sentences(p.strip())) for p in paragraphs if p]
    return len(counts) >= 2 and all(count == $n for count in counts)
""",
        parameters={"n": (2, 3)},
        cases=lambda n: [
            (" ".join(HOME[:n]) + "\n\n" + " ".join(OFFICE[:n]), True),
            (" ".join(HOME[:n]) + "\n\n" + " ".join(OFFICE[:n]) + "\n\n" + " ".join(HOME[1 : n + 1]), True),
            ("You save time.\n\nYou get lonely.", False),
            (" ".join(HOME[:n]), False),
            (" ".join(HOME[:n]) + "\n\n" + " ".join(OFFICE), False),
        ],
        boundary=lambda n: [
            ("It is calm. " * n + "\n\n" + "It is calm. " * (n - 1), False),
            ("It is calm! " * n + "\n\n\n" + "Is it calm?\n" * n, True),
            ("It is calm. " * n + "\n" + "It is calm. " * n, False),
        ],
    ),
    Seed(
        name="labelled_lines",
        kind="structure",
        query="Describe the goldfish as a pet.",
        instruction=(
            "Write at least three lines, each in the form `label: text`, where the label is one to three words."
        ),
        verifier=r"""
def evaluate(response: str) -> bool:
    # Empty lines are skipped; bullets and bold marks around the label do no harm.
    lines = [line.replace("*", "").strip("- \t") for line in response.splitlines()]
    lines = [line for line in lines if line]
    def fits(line):
        # Only the first colon separates; the text may hold others.
        label, colon, text = line.partition(":")
        return 1 <= len(label.split()) <= 3 and colon == ":" and any(c.isalnum() for c in text)
    return len(lines) >= 3 and all(fits(line) for line in lines)
""",
        cases=lambda: [
            ("Size: up to 20 cm\nFood: flakes and peas\nLife span: ten years or more", True),
            ("- **Care:** easy\n- **Price:** low\n- **Noise:** none", True),
            ("Goldfish are calm pets. They eat flakes and peas.", False),
            ("Size: 20 cm\nFood: flakes", False),
            ("Here are the facts about it\nSize: 20 cm\nFood: flakes\nNoise: none", False),
        ],
        boundary=lambda: [
            ("Size: 20 cm\n\nFood: at 8:00\n\nNoise: none", True),
            ("Size: 20 cm\nFood:\nNoise: none", False),
            ("Size: 20 cm\nFood: peas\nWhat it is called: Carassius", False),
        ],
    ),
    Seed(
        name="word_triangle",
        kind="structure",
        query="Describe snow in a playful way.",
        instruction="Write a triangle of $n lines: one word on the first line, two on the second, and so on.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Empty lines do not count. A word holds a letter or a digit, so a lone dash is not one.
    lines = [line.split() for line in response.splitlines() if line.strip()]
    counts = [sum(any(c.isalnum() for c in word) for word in line) for line in lines]
    # The counts have to be 1, 2, 3 up to the last line.
    return counts == list(range(1, $n + 1))
""",
        parameters={"n": (3, 4, 5)},
        cases=lambda n: [
            (
                "\n".join(
                    ("Snow.", "Soft snow.", "Soft quiet snow.", "Soft snow falls slowly.", "We run out to play.")[:n]
                ),
                True,
            ),
            ("\n".join(" ".join(["white"] * i) for i in range(1, n + 1)), True),
            ("Snow is soft and white.", False),
            ("\n".join(["Soft white snow."] * n), False),
        ],
        boundary=lambda n: [
            ("\n".join("snow " * i for i in range(1, n)), False),
            ("\n".join("snow " * i for i in range(1, n + 2)), False),
            ("\n".join("snow " * i for i in range(n, 0, -1)), False),
            ("\n\n".join("snow " * i + "-" for i in range(1, n + 1)), True),
        ],
        general=False,
    ),
)

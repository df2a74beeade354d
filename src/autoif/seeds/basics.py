"""Seeds of every kind that even a very small model follows now and then: one plain demand each."""

from autoif.seeds.prose import SENTENCES
from autoif.seeds.seed import Seed

HABITS = ("Drink water.", "Walk a lot.", "Sleep enough.", "Eat fruit.", "See friends.", "Laugh.")


def bullets(count: int, mark: str = "-") -> str:
    return "\n".join(f"{mark} {habit}" for habit in HABITS[:count])


SEEDS = (
    Seed(
        name="include_word",
        kind="keywords",
        query="How do I learn to play the guitar?",
        instruction='Use the word "$word" somewhere in your answer.',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # Whole words, any capitals: a longer word that contains it does not count.
    return $word in re.findall(r"[^\W_]+", response.lower())
""",
        parameters={"word": ("time", "example", "simple", "because", "good")},
        cases=lambda word: [
            (f'Start with two chords. My teacher\'s favourite word was "{word}".', True),
            (f"**{word.title()}** is what I think of first. Then: practise daily.", True),
            ("Start with two chords and practise daily.", False),
            ("Find a teacher you like.", False),
        ],
        boundary=lambda word: [(f"({word.upper()})", True), (f"{word}x", False), ("", False)],
    ),
    Seed(
        name="at_least_n_sentences",
        kind="length",
        query="Which habits keep people healthy?",
        instruction="Write at least $n sentences.",
        verifier=rf"""
def evaluate(response: str) -> bool:
    import re
{SENTENCES}
    # A line without a full stop, such as a list item, counts as one sentence.
    return sum(len(sentences(line)) for line in response.splitlines() if line.strip()) >= $n
""",
        parameters={"n": (3, 4, 5)},
        cases=lambda n: [
            (" ".join(HABITS), True),
            (" ".join(HABITS[:n]) + " Enjoy it!", True),
            ("Drink water and walk a lot.", False),
            (" ".join(HABITS[: n - 1]), False),
        ],
        boundary=lambda n: [
            (" ".join(HABITS[:n]), True),
            (" ".join(HABITS[: n - 2]) + " Drink 1.5 litres, e.g. of tea.", False),
            (" ".join(HABITS[: n - 1]) + " ...", False),
        ],
    ),
    Seed(
        name="at_least_n_paragraphs",
        kind="structure",
        query="Tell me about your favourite season.",
        instruction="Write $n or more paragraphs and leave a blank line between them.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # A paragraph begins wherever text follows a blank line or the start.
    count, blank = 0, True
    for line in response.splitlines():
        if line.strip() and blank:
            count += 1
        blank = not line.strip()
    return count >= $n
""",
        parameters={"n": (2, 3)},
        cases=lambda n: [
            ("I like autumn.\n\nThe air is clear.\n\nThe soup is hot.", True),
            ("I like autumn. The air is clear.", False),
            ("I like autumn.\nThe air is clear.\nThe soup is hot.", False),
            ("\n\n".join(HABITS[: n + 1]), True),
        ],
        boundary=lambda n: [
            ("\n\n".join(HABITS[:n]), True),
            ("\n\n".join(HABITS[: n - 1]), False),
            ("\n \n\n".join(HABITS[:n]), True),
        ],
    ),
    Seed(
        name="list_of_at_least_n",
        kind="format",
        query="What helps against stress at work?",
        instruction=(
            "Give a list of at least $n items, each on its own line with a dash, an asterisk or a number in front."
        ),
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # "- x", "* x", "• x", "1. x" or "1) x", indented or not, with some text behind the mark.
    items = re.findall(r"(?m)^[ \t]*(?:[-*•–]|\d{1,3}[.)])[ \t]+\S", response)
    return len(items) >= $n
""",
        parameters={"n": (2, 3, 5)},
        cases=lambda n: [
            (bullets(n), True),
            ("Try this:\n\n" + "\n".join(f"{i}. {habit}" for i, habit in enumerate(HABITS, 1)), True),
            (bullets(n - 1), False),
            (" ".join(HABITS), False),
            ("\n".join(HABITS), False),
        ],
        boundary=lambda n: [
            (bullets(n, "1)"), True),
            (bullets(n - 1, "*") + "\n*", False),
            (bullets(n - 1, "*") + "\n**Bold** words", False),
        ],
    ),
    Seed(
        name="no_list",
        kind="format",
        query="What should a good CV contain?",
        instruction="Answer in running text, without bullet points or numbered lists.",
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # A list shows in lines that start with a mark or a number; "1990 was" and "-5 degrees" are no such lines.
    listed = re.search(r"(?m)^[ \t]*(?:[-*•–+]|[*#]*\d{1,3}[.)][*]*)[ \t]+\S", response)
    return bool(response.strip()) and listed is None
""",
        cases=lambda: [
            ("Name your last jobs, your skills and a way to reach you. One page is enough.", True),
            ("Keep it short.\n\nNew jobs come first, old ones last.", True),
            ("- Jobs\n- Skills\n- Contact", False),
            ("It contains:\n1. Jobs\n2. Skills", False),
        ],
        boundary=lambda: [
            ("Name:\n\n**1.** Jobs", False),
            ("First, 1. your jobs.", True),
            ("**Jobs** come first.", True),
            ("Jobs\n  * Skills", False),
            ("", False),
        ],
    ),
    Seed(
        name="at_least_one_exclamation_mark",
        kind="punctuation",
        query="My daughter won her first chess game today.",
        instruction="Show some joy by using at least one exclamation mark.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # The sign needs some words with it.
    return ("!" in response or "！" in response) and any(c.isalpha() for c in response)
""",
        cases=lambda: [
            ("How wonderful! She must be proud.", True),
            ("Congratulations to her! Chess is hard!", True),
            ("That is nice to hear. Tell her well done.", False),
            ("Did she play white?", False),
        ],
        boundary=lambda: [("!", False), ("What?! She won.", True), ("", False)],
    ),
    Seed(
        name="ask_a_question",
        kind="punctuation",
        query="I want to change careers but I do not know where to start.",
        instruction="Ask at least one question somewhere in your reply.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # A question ends with a question mark and has words before it.
    before = response.replace("？", "?").rpartition("?")[0]
    return any(c.isalpha() for c in before)
""",
        cases=lambda: [
            ("What did you enjoy as a child? Begin there.", True),
            ("Start with your strengths. Which are they?", True),
            ("Start with your strengths and talk to people.", False),
            ("I wonder what you enjoy.", False),
        ],
        boundary=lambda: [("Really?!", True), ("? Start with strengths.", False), ("", False)],
    ),
    Seed(
        name="at_least_one_colon",
        kind="punctuation",
        query="What do I need for a picnic?",
        instruction="There should be at least one colon (:) in your answer.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Any colon counts, also the one in "12:30"; a colon alone is no answer.
    return ":" in response and any(c.isalpha() for c in response)
""",
        cases=lambda: [
            ("You need three things: a blanket, food and sun.", True),
            ("Bring food. Meet at 12:30.", True),
            ("You need a blanket, food and sun.", False),
            ("A blanket; food; sun.", False),
        ],
        boundary=lambda: [(":", False), ("Food:", True), ("", False)],
    ),
    Seed(
        name="plain_text",
        kind="format",
        query="How do I keep cut flowers fresh?",
        instruction="Write plain text: no asterisks, no hash signs, no backticks and no underscores.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # These four signs make bold text, headings, code and italics in Markdown.
    return bool(response.strip()) and not any(c in "*#`_" for c in response)
""",
        cases=lambda: [
            ("Cut the stems and change the water every other day.", True),
            ("- Cut the stems.\n- Change the water.", True),
            ("**Cut** the stems and change the water.", False),
            ("# Fresh flowers\nCut the stems.", False),
        ],
        boundary=lambda: [("Rose no. 5 likes it cool.", True), ("Rose #5 likes it cool.", False), ("", False)],
    ),
    Seed(
        name="end_with_full_stop",
        kind="start_end",
        query="Why do we have leap years?",
        instruction="The very last character of your answer must be a full stop.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Blank space after it cannot be seen and does not count; dots alone say nothing.
    return response.rstrip().endswith(".") and any(c.isalnum() for c in response)
""",
        cases=lambda: [
            ("A year is a little longer than 365 days.", True),
            ("Because of the sun! It takes about six hours more.", True),
            ("A year is a little longer than 365 days!", False),
            ("It keeps the seasons in place", False),
        ],
        boundary=lambda: [('They say "it adds up."', False), ("It adds up...", True), ("...", False)],
    ),
    Seed(
        name="not_beginning_with_i",
        kind="start_end",
        query="Can you recommend a good board game for two?",
        instruction='Do not begin your answer with "I" or "I\'m".',
        verifier=r"""
def evaluate(response: str) -> bool:
    import re
    # An apostrophe cuts "I'm" and "I'd" into "I" and the rest, so looking for "I" is enough.
    words = re.findall(r"[^\W_]+", response)
    return bool(words) and words[0] not in ("I", "i", "Im")
""",
        cases=lambda: [
            ("Hive is quick to learn and fits into a bag.", True),
            ("You could try Patchwork. I like it.", True),
            ("I recommend Hive.", False),
            ("I'm glad you ask. Try Hive.", False),
        ],
        boundary=lambda: [('"I" is a small word.', False), ("In my view, Hive.", True), ("It is Hive, I think.", True)],
    ),
    Seed(
        name="at_least_n_lines",
        kind="structure",
        query="Write something cheerful for a birthday card.",
        instruction="Spread your answer over at least $n lines; empty lines do not count.",
        verifier=r"""
def evaluate(response: str) -> bool:
    # Count the lines that hold more than blank space.
    return sum(bool(line.strip()) for line in response.splitlines()) >= $n
""",
        parameters={"n": (2, 3, 5)},
        cases=lambda n: [
            ("Happy birthday!\n\nMay your cake be tall,\nyour friends be near,\nand your socks\nbe dry.", True),
            ("Happy birthday and many happy returns!", False),
            ("\n".join(HABITS[:n]), True),
            (" ".join(HABITS), False),
        ],
        boundary=lambda n: [
            ("\n\n".join(HABITS[: n - 1]), False),
            ("\n \n".join(HABITS[:n]), True),
        ],
    ),
)

"""Seeds about forms that a machine reads: JSON, tables, code, questions with answers, plain lists."""

import json

from autoif.seeds.seed import Case, Seed

GIFTS = ("a cookbook", "a chess set", "wool socks", "a plant", "a puzzle", "tea", "a lamp")
QUESTIONS = (("Is it safe?", "Yes."), ("Does it hurt?", "Hardly."), ("How long does it take?", "An hour."),
             ("Can I drive home?", "Yes, you can."), ("Do I have to fast?", "No."))  # fmt: skip


def table(columns: int, rows: int = 2) -> str:
    lines = [[f"Plan {i}" for i in range(1, columns + 1)], ["---"] * columns, *[["yes"] * columns] * rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def dialogue(count: int) -> str:
    return "\n".join(f"Q: {question}\nA: {answer}" for question, answer in QUESTIONS[:count])


def json_objects(first: str, second: str) -> list[Case]:
    return [
        (json.dumps({first: "Yes", second: "Boil it for a minute."}), True),
        ("```json\n" + json.dumps({first: "Boil it.", second: 3}, indent=2) + "\n```", True),
        (f"{first}: Yes\n{second}: Boil it for a minute.", False),
        ("Sure! " + json.dumps({first: "Yes", second: "Boil it."}), False),
        (json.dumps({first: "Yes"}), False),
    ]


SEEDS = (
    Seed(
        name="json_object",
        kind="format",
        query="Can I drink water from a mountain stream?",
        instruction=(
            'Answer with one JSON object and no other text. It has exactly two keys, "$first" and "$second". '
            "A code fence around it is fine."
        ),
        verifier=r"""
def evaluate(response: str) -> bool:
    import json
    text = response.strip()
    # Take off a code fence, if there is one: its first line (``` or ```json) and its last.
    lines = text.splitlines()
    if len(lines) > 2 and lines[0].strip().lower() in ("```", "```json") and lines[-1].strip() == "```":
        text = "\n".join(lines[1:-1])
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    # A list or a bare string is valid JSON too, but not an object. Key names are taken exactly.
    return isinstance(value, dict) and set(value) == {$first, $second}
""",
        parameters={"first": ("answer", "verdict"), "second": ("reason", "advice")},
        cases=json_objects,
        boundary=lambda first, second: [
            (json.dumps({first: 1, second: 2, "note": 3}), False),
            (json.dumps([first, second]), False),
            (json.dumps({first: "Yes", second: "Boil it."})[:-1], False),
            (json.dumps({first.title(): "Yes", second: "Boil it."}), False),
            (json.dumps({second: None, first: []}), True),
        ],
    ),
    Seed(
        name="json_list",
        kind="format",
        query="Suggest birthday presents for my father, who has everything.",
        instruction="Return your suggestions as a JSON array of exactly $n strings, and nothing else.",
        verifier=r"""
def evaluate(response: str) -> bool:
    import json
    text = response.strip()
    # Many programs put JSON into a code fence; that is not seen as other text.
    lines = text.splitlines()
    if len(lines) > 2 and lines[0].strip().lower() in ("```", "```json") and lines[-1].strip() == "```":
        text = "\n".join(lines[1:-1])
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    # Every element has to be a string with something in it.
    return isinstance(value, list) and len(value) == $n and all(isinstance(v, str) and v.strip() for v in value)
""",
        parameters={"n": (3, 4, 5)},
        cases=lambda n: [
            (json.dumps(GIFTS[:n]), True),
            (json.dumps(GIFTS[:n], indent=2), True),
            (json.dumps(GIFTS[: n + 2]), False),
            (", ".join(GIFTS[:n]), False),
            ("Here are some ideas: " + json.dumps(GIFTS[:n]), False),
        ],
        boundary=lambda n: [
            ("```json\n" + json.dumps(GIFTS[:n]) + "\n```", True),
            (json.dumps([*GIFTS[: n - 1], 7]), False),
            (json.dumps([*GIFTS[: n - 1], ""]), False),
            (json.dumps(GIFTS[:n]).replace('"', "'"), False),
            (json.dumps(GIFTS[: n - 1]), False),
        ],
        general=False,
    ),
    Seed(
        name="table_with_n_columns",
        kind="format",
        query="How do the phone plans for students differ?",
        instruction="Include a Markdown table with exactly $n columns.",
        verifier=r"""
def evaluate(response: str) -> bool:
    def cells(line):
        # The outer bars may be left out; an escaped bar belongs to the text.
        line = line.strip().replace("\\|", "").removeprefix("|").removesuffix("|")
        return [cell.strip() for cell in line.split("|")]
    lines = response.splitlines()
    # The line of dashes under the header tells where a table is.
    rules = []
    for i, line in enumerate(lines):
        if "|" in line and all(set(cell) <= set(":-") and "-" in cell for cell in cells(line)):
            rules.append(i)
    # Header, dashes and the first row below must all have the same number of cells, in every table.
    for i in rules:
        if i == 0 or i + 1 == len(lines) or not lines[i + 1].strip():
            return False
        if any(len(cells(lines[j])) != $n for j in (i - 1, i, i + 1)):
            return False
    return bool(rules)
""",
        parameters={"n": (2, 3, 4)},
        cases=lambda n: [
            (table(n), True),
            ("These are the plans:\n\n" + table(n, 3), True),
            (table(n + 1), False),
            ("Plan 1 is cheap, plan 2 has more data.", False),
            (" | ".join(["yes"] * n), False),
        ],
        boundary=lambda n: [
            (table(n, 0), False),
            (table(n, 1).replace("---", ":-:"), True),
            (table(n, 1).replace("| ", "", 1), True),
            (table(n) + "\n\n" + table(n - 1), False),
            (table(n).replace("| --- ", "", 1), False),
        ],
    ),
    Seed(
        name="one_python_block",
        kind="format",
        query="How do I reverse a list in Python without changing the original?",
        instruction="Show the code in exactly one fenced code block that is marked as python.",
        verifier=r"""
def evaluate(response: str) -> bool:
    lines = [line.strip() for line in response.splitlines()]
    fences = [i for i, line in enumerate(lines) if line.startswith("```")]
    # One block has one fence that opens it and a bare one that closes it.
    if len(fences) != 2:
        return False
    start, end = fences
    marked = lines[start].lower() in ("```python", "```python3", "```py") and lines[end] == "```"
    # A block without any code in it shows nothing.
    return marked and any(lines[start + 1 : end])
""",
        cases=lambda: [
            ("Use a slice:\n\n```python\nnew = old[::-1]\n```", True),
            ("```python\nnew = list(reversed(old))\n```\nThe old list stays as it is.", True),
            ("Write `new = old[::-1]`.", False),
            ("```\nnew = old[::-1]\n```", False),
            ("```python\na = old[::-1]\n```\nor\n```python\na = list(reversed(old))\n```", False),
        ],
        boundary=lambda: [
            ("```python\nnew = old[::-1]", False),
            ("```python\n```", False),
            ("```Python\nnew = old[::-1]\n```", True),
            ("```js\nold.toReversed()\n```", False),
        ],
        general=False,
    ),
    Seed(
        name="n_questions_and_answers",
        kind="format",
        query="Tell patients what to expect from an eye test.",
        instruction=(
            'Write it as exactly $n questions with answers. Start each question on a new line with "Q:" '
            'and its answer on the next line with "A:".'
        ),
        verifier=r"""
def evaluate(response: str) -> bool:
    # Empty lines and bold marks do no harm.
    lines = [line.replace("*", "").strip() for line in response.splitlines()]
    lines = [line for line in lines if line]
    # A label needs text behind it.
    places = [i for i, line in enumerate(lines) if line.startswith("Q:") and line[2:].strip()]
    answers = [i for i, line in enumerate(lines) if line.startswith("A:") and line[2:].strip()]
    # Every answer stands right below its question, so the places differ by one.
    return len(places) == $n and answers == [i + 1 for i in places]
""",
        parameters={"n": (2, 3, 4)},
        cases=lambda n: [
            (dialogue(n), True),
            ("About the test:\n\n" + dialogue(n).replace("\nQ", "\n\nQ"), True),
            (dialogue(1), False),
            (dialogue(n).replace("Q: ", "").replace("A: ", ""), False),
            ("The test is safe and takes an hour.", False),
        ],
        boundary=lambda n: [
            (dialogue(n + 1), False),
            (dialogue(n - 1) + "\nQ: Is it free?", False),
            (dialogue(n - 1) + "\nQ: Is it free?\nA:", False),
            (dialogue(n).replace("Q:", "**Q:**"), True),
        ],
    ),
    Seed(
        name="n_items_with_commas",
        kind="format",
        query="Which presents could I buy for my colleague?",
        instruction=(
            "Give only a list of exactly $n items, none longer than four words, "
            'all on one line and separated by commas, without "and".'
        ),
        verifier=r"""
def evaluate(response: str) -> bool:
    text = response.strip()
    # One line only, and "and" is ruled out wherever it stands as a word.
    if len(text.splitlines()) != 1 or "and" in text.lower().replace(",", " ").split():
        return False
    # A colon would follow an introduction, and only the list is wanted. A full stop at the end is fine.
    if ":" in text:
        return False
    # An empty place between two commas is not an item.
    items = [item.split() for item in text.split(",")]
    return len(items) == $n and all(1 <= len(item) <= 4 and any(c.isalnum() for c in item[0]) for item in items)
""",
        parameters={"n": (3, 4, 5)},
        cases=lambda n: [
            (", ".join(GIFTS[:n]), True),
            (", ".join(GIFTS[:n]).capitalize() + ".", True),
            (", ".join(GIFTS[: n - 1]) + " and tea", False),
            ("\n".join(GIFTS[:n]), False),
            ("You could buy a nice book.", False),
        ],
        boundary=lambda n: [
            (", ".join(GIFTS[: n - 1]) + ",", False),
            (", ".join(GIFTS[: n - 1]) + ", and tea", False),
            (",".join(GIFTS[: n - 1]) + ",brandy", True),
            (", ".join(GIFTS[: n - 1]) + ", a book on old trains", False),
            ("Ideas: " + ", ".join(GIFTS[:n]), False),
            (", ".join(GIFTS[: n + 1]), False),
        ],
        general=False,
    ),
)

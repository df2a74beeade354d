"""What the fake runs are written from: queries, rules with their programs, and hostile texts."""

HOSTILE = (
    "<script>window.owned = 1</script>",
    "</script><script>window.owned = 2</script>",
    "<!--<script>",
    '" onmouseover="window.owned = 3" x=\'',
    "<img src=x onerror=window.owned=4>",
    "<svg onload=window.owned=5>",
    "{{ 7 * 7 }} {% raw %} ${7 * 7}",
    "javascript:window.owned=6",
    "]]>\u2028\u2029",
    "NUL \x00 ESC \x1b[31m BEL \x07 DEL \x7f",
    "right to left \u202egnp.exe \u2066isolated\u2069 عربى עברית",
    "a" * 100_000,
    "é 日本語 🙂 e\u0301",
    "</textarea></title></style><base href=//evil.example>",
    "__proto__",
)

TOPICS = (
    "How do I keep basil alive on a windowsill?",
    "Explain what a Monte Carlo simulation does.",
    "Write a short toast for my sister's wedding.",
    "What should I see in Lisbon in two days?",
    "Why does bread need salt?",
    "Summarise the plot of Moby Dick.",
    "How can I fall asleep faster?",
    "Suggest three names for a bakery.",
    "What is the difference between TCP and UDP?",
    "Give me advice for a first job interview.",
)
RULES = (
    (None, "Do not use any commas in your answer.", "return ',' not in response"),
    (None, "Answer in at most {n} words.", "return len(response.split()) <= {n}"),
    (
        "exactly_n_bullets",
        "Use exactly {n} bullet points.",
        "return sum(l.startswith('- ') for l in response.split('\\n')) == {n}",
    ),
    ("all_lowercase", "Write everything in lowercase letters.", "return response == response.lower()"),
    ("end_with_question", "End your answer with a question.", "return response.rstrip().endswith('?')"),
    (None, "Mention the word “{word}” at least {n} times.", "return response.lower().count('{word}') >= {n}"),
)
WORDS = ["water", "light", "careful", "morning", "often", "bread", "salt", "which", "because", "people", "simple"]
CODE = '''import re


def evaluate(response: str) -> bool:
    """Checks: {rule}"""
    # The empty answer follows nothing.
    if not response.strip():
        return False
    {body}
'''

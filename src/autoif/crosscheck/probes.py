"""What verifiers are tried on besides the writer's test cases: answers, and the same answers changed.

A verifier comes without a specification, so most answers have no known verdict. But how verdicts must relate is known
(metamorphic testing; Chen et al., "Metamorphic Testing: A Review of Challenges and Opportunities", 2018): a change that
the instruction does not speak of must not change a verdict, what it does speak of matters, and an answer at the edge of
a bound has no clear label.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from autoif.prompts import draw
from autoif.seeds import SEEDS

Change = Callable[[str], str]

EMPHASIS = re.compile(r"(\*\*|__|\*)(?=\w)([^*\n]{1,200}?)(?<=[\w.!?:])\1")
DIGITS = str.maketrans("0123456789", "abcdefghij")
STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")

CHANGES: tuple[tuple[str, tuple[Change, ...]], ...] = (
    (r"capital|upper|lower|\bcase|title|letter|acrostic|character", (str.lower,)),
    (
        r"digit|numer|numbers\b|numbered|\bdate|year|percent|\bmath|price|clock|character|letter",
        (lambda text: text.translate(DIGITS),),
    ),
    (
        r"\bline|paragraph|section|bullet|\blist|stanza|spac|indent|heading|title|table|\brow|json|format|separat|\bpart"
        r"|column|block|markdown|postscript|p\.s|layout|poem|verse|\bstep|\bitem|\bnote|character|divide|point|label",
        (lambda text: " ".join(text.split()), lambda text: re.sub(r"(?<=[.!?]) +", "\n", text)),
    ),
    (
        r"bold|italic|emphas|highlight|asterisk|\bstar|underlin|format|character|markup",
        (lambda text: EMPHASIS.sub(r"\2", text), lambda text: re.sub(r"\b([^\W\d_]{4,})\b", r"**\1**", text, count=1)),
    ),
    (
        r"punctuat|exclam|question|period|full stop|character|\bsign|\bmark\b|symbol|interrog|declar|\bend|finish|quot",
        (lambda text: re.sub(r"[!?]+", ".", text),),
    ),
    (
        r"hyphen|dash|asterisk|symbol|character|json|punctuat",
        (
            lambda text: re.sub(r"^(\s*)[*•] ", r"\1- ", text, flags=re.MULTILINE),
            lambda text: re.sub(r"^(\s*)[-•] ", r"\1* ", text, flags=re.MULTILINE),
        ),
    ),
    (r"quot|apostroph|character|punctuat|symbol", (lambda text: text.translate(STRAIGHT),)),
    (r"spac|indent|character", (lambda text: "\n".join(line.rstrip() for line in text.strip().splitlines()),)),
)
"""Case, digits, lines, emphasis, closing marks, bullets, quotes, spaces at the edge: the words by which an instruction
speaks of each, and changes of nothing else."""

REPETITIONS: tuple[Change, ...] = (
    lambda text: f"{text}\n{text}",
    lambda text: " ".join(dict.fromkeys(text.split())),
)

EXAMPLES = re.compile(
    r"\b(?:such as\b|for example\b|for instance\b|like this\b|e\.g\.|i\.e\.)(?:[^.\n]*\n.*|[^.\n]*)",
    re.DOTALL | re.IGNORECASE,
)
"""What an instruction only shows: the rest of the sentence, or everything if it goes on in a new line."""
QUOTED = re.compile(r"(?<!\w)'([^'\n]{1,60})'(?!\w)|\"([^\"\n]{1,60})\"|“([^”\n]{1,60})”|‘([^’\n]{1,60})’(?!\w)")
TEENS = "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"
WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", *TEENS)
NUMBER_WORDS = {word: number for number, word in enumerate(WORDS, 2)} | {
    "twice": 2,
    "thrice": 3,
    "dozen": 12,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "hundred": 100,
}
BOUND = (
    r"at least|at most|or more|or fewer|or less|no fewer|no less|no more|more than|less than|fewer than|minimum|maximum"
    r"|up to|between|longer than|shorter than"
)
JOINED = (2, 4, 8, 16, 32, 64)
"""How many short probes make a long one: from 15 to 600 words, about."""
ECHOED = 40
"""Words of the instruction that are put into a probe."""


def spoken(pattern: str, instruction: str) -> bool:
    return re.search(pattern, instruction, re.IGNORECASE) is not None


def unspoken(instruction: str) -> list[Change]:
    """The changes of an answer that should not matter to someone who asked for this.

    Where a bound is set to how many different things there are, saying everything twice does not, nor leaving out each
    repetition of a word.
    """
    found = [change for pattern, changes in CHANGES if not spoken(pattern, instruction) for change in changes]
    counted = spoken(BOUND, instruction) and spoken(r"\b(?:unique|distinct|different)\b", instruction)
    return [*found, *REPETITIONS] if counted else found


def numbers(instruction: str) -> set[int]:
    """The numbers from 2 up that the instruction asks for, in digits or words."""
    asked = EXAMPLES.sub("", instruction)
    grouped = re.findall(r"(?<![\w.])(\d{1,3}(?:,\d{3})+|\d{1,6})(?:\.0)?(?!\w)", asked)
    digits = {int(found.replace(",", "")) for found in grouped}
    words = {NUMBER_WORDS[word] for word in re.findall(r"[a-z]+", asked.lower()) if word in NUMBER_WORDS}
    return {number for number in digits | words if number > 1}


def quoted(instruction: str) -> list[str]:
    """What stands between quotation marks, examples aside."""
    return list(dict.fromkeys("".join(groups) for groups in QUOTED.findall(EXAMPLES.sub("", instruction))))


def nudged(source: str, instruction: str) -> list[str]:
    """The verifier with its bound a little lower and a little higher, for an instruction that sets one.

    What counts as a word or a sentence is open to interpretation, so an answer whose verdict hangs on one of them more
    or less (on a tenth of them, from 20 up) has no clear label.
    """
    if spoken(r"exactly", instruction) or not spoken(BOUND, instruction):
        return []
    found = []
    for number in sorted(numbers(instruction)):
        literal = re.compile(rf"(?<![\w.'\"]){number}(?:\.0)?(?![\w'\"])")
        if literal.search(source):
            step = max(1, number // 10)
            found += [literal.sub(str(number + by), source) for by in (-step, step)]
    return found


def probes(instruction: str) -> list[str]:
    """Answers of many forms and lengths, with and without the words of the instruction."""
    base = _written()[0]
    echoes = [instruction, f"{base}\n{instruction}"]
    for word in dict.fromkeys([*re.findall(r"[^\W\d_]{3,}", instruction)[:ECHOED], *quoted(instruction)]):
        echoes += [f"{base} {word}", f"{word} {base}", f"{word} {word}\n{base}", f"{base} {word}." * 12]
    return [*_written(), *dict.fromkeys(echoes)]


@cache
def _written() -> tuple[str, ...]:
    """Test cases that people wrote for the seeds, one that follows and one that does not of each, and longer texts
    joined from them."""
    cases = [seed.example().cases for seed in SEEDS]
    short = [next(text for text, follows in some if follows is wanted) for some in cases for wanted in (True, False)]
    joined = [
        separator.join(sorted(short, key=lambda text: draw("probes", size, separator, number, text))[:size])
        for size in JOINED
        for separator in ("\n\n", "\n", " ")
        for number in range(4)
    ]
    return tuple(dict.fromkeys([*short, *joined]))

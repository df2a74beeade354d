"""The words of the report: what each outcome means, and how numbers are written."""

from __future__ import annotations

from datetime import datetime

MEANINGS = {
    "kept/pairs": "Verified, and its completions gave preference pairs.",
    "kept/no_pairs": "Verified, but its completions gave no pair.",
    "kept/heldout": "Verified, and held out: never trained on, only evaluated.",
    "kept/waiting": "Kept so far; the stages that follow have not run.",
    "queries/not_first_human_turn": "Not the first thing that a person says in the conversation.",
    "queries/too_short": "Shorter than the configuration asks for.",
    "queries/too_long": "Longer than the configuration allows.",
    "queries/wrong_language": "In another language than the configuration asks for.",
    "queries/duplicate": "The same query came before.",
    "instructions/empty": "The writer gave no instruction.",
    "instructions/duplicate": "The same instruction came before.",
    "instructions/near_duplicate": "Nearly the words of an instruction that came before.",
    "instructions/answers_the_query": "The writer answered the query instead of adding an instruction.",
    "verifiers/no_function": "The reply holds no function `evaluate`.",
    "verifiers/malformed_test_case": "The line is no test case.",
    "crosscheck/does_not_compile": "None of the functions compiles.",
    "crosscheck/not_boolean": "No function returns True or False.",
    "crosscheck/nondeterministic": "The functions say something else when they run again.",
    "crosscheck/no_test_case": "There was no test case to judge the functions by.",
    "crosscheck/one_polarity": "The test cases that were left all follow, or all do not follow: they show nothing.",
    "crosscheck/below_threshold": "Functions and test cases agree too rarely.",
    "crosscheck/contradiction": "The same response is labelled both ways.",
    "completions/truncated": "The answer was cut at the longest allowed length.",
    "completions/empty": "The policy gave no answer.",
    "completions/duplicate": "The same answer to the same prompt came before.",
    "completions/copied": "The answer repeats a test case that was shown as an example.",
    "scores/unstable": "Fewer than half of the verifiers gave a verdict.",
    "pairs/no_contrast": "The completions all pass, or all fail, or lie in between: there is nothing to compare.",
    "pairs/off_topic": "The answer follows the instruction, but serves its query badly.",
    "pairs/echo": "The answer passes by repeating the instruction, or speaks of it instead of answering.",
    "pairs/loop": "The answer passes, but says the same again and again.",
    "pairs/contaminated": "The prompt shares 13 words in a row with a benchmark.",
}

_NAMES = {
    "kept/pairs": "gave pairs",
    "kept/no_pairs": "gave no pair",
    "kept/heldout": "held out",
    "kept/waiting": "kept so far",
    "heldout": "held-out instructions",
    "heldout_query": "held-out query",
    "heldout_instruction": "held-out instruction",
    "model": "model-written",
    "start_end": "start and end",
}


def name(key: str) -> str:
    """What people call an outcome, a kind, a split: `crosscheck/one_polarity` is "one polarity"."""
    return _NAMES.get(key) or key.rpartition("/")[2].replace("_", " ")


_FIELDS = {"text": "What was written", "pass_rates": "Pass rates", "why": "The judge's reason"}


def field(key: str) -> str:
    """The heading of one value of a dropped thing."""
    return _FIELDS.get(key) or key.replace("_", " ").capitalize()


def sentence(explanation: str) -> str:
    """A stage's explanation without the word for its outcome, which is shown beside it."""
    said = explanation.removeprefix("kept: ").removeprefix("dropped: ")
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def moment(iso: str) -> str:
    """2026-11-22T10:05:00+00:00 is 22 November 2026, 10:05; anything else stays as it is."""
    try:
        when = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{when.day} {when:%B %Y, %H:%M}"


def thousands(value: float) -> str:
    return f"{value:,.0f}"


def rough(value: float) -> str:
    """Three figures and a unit: 940, 12.3 k, 4.56 M."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if value >= size:
            return f"{value / (1e3 if unit == ' k' else size):.3g}{unit}"
    return thousands(value)


def duration(seconds: float) -> str:
    if seconds >= 600:
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"{hours} h {minutes} min" if hours else f"{minutes} min"
    minutes, rest = divmod(round(seconds), 60)
    if minutes:
        return f"{minutes} min {rest} s"
    return f"{seconds:.1f} s" if seconds < 10 else f"{rest} s"


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"


BANDS = ((1.0, "100%"), (0.95, "95 to 99%"), (0.9, "90 to 94%"), (0.75, "75 to 89%"))
LOWEST_BAND = "below 75%"


def band(confidence: float) -> str:
    """The group of confidences that the browser filters by, the surest first in BANDS."""
    return next((name for least, name in BANDS if confidence >= least), LOWEST_BAND)


def rate(share: float) -> str:
    return f"{100 * share:.0f}%"


def figure(value: float) -> str:
    """Three significant figures."""
    return f"{value:.3g}".replace("-", "−")


def points(share: float) -> str:
    """A difference of two shares, in percentage points, with its sign."""
    return f"{round(100 * share, 1) or 0.0:+.1f}".replace("-", "−").replace("+0.0", "0.0")

"""What the policy sees beside the plain prompt while it samples. It is trained on the plain prompt alone."""

from __future__ import annotations

from autoif.config import Config
from autoif.contamination import grams
from autoif.prompts import assistant, draw, fill, user, user_prompt
from autoif.records import Message, Query, VerifiedInstruction

Prompt = tuple[VerifiedInstruction, Query]

COPIED = 5
"""Words in a row that an answer to another question hardly shares with a test case by chance."""


def messages(unit: int, prompt: Prompt, sample: int, config: Config, cases: bool) -> list[Message]:
    """The chat of one sample: the plain prompt, or with a verifier inside, or (`cases`) after a test case."""
    verified, query = prompt
    plain = user_prompt(query.text, verified.instruction.text)
    good = following(verified) if cases else []
    if good:
        case = good[draw(config.seed, "shown case", unit, sample) % len(good)]
        return [user(verified.instruction.text), assistant(case), user(plain)]
    if config.completions.show_verifier:
        verifiers = verified.verifiers
        shown = verifiers[draw(config.seed, "shown verifier", unit, sample) % len(verifiers)]
        return [user(fill("shown_verifier", prompt=plain, verifier=shown.source))]
    return [user(plain)]


def following(verified: VerifiedInstruction) -> list[str]:
    """The test cases that follow the instruction, as their writer and every verifier say."""
    columns = zip(*verified.case_verdicts, strict=True)
    told = zip(verified.cases, columns, strict=True)
    return [case.response for case, verdicts in told if case.follows and set(verdicts) == {"TRUE"}]


def copies_a_case(text: str, prompt: Prompt) -> bool:
    """Whether an answer repeats a test case, which it may have been shown, instead of answering."""
    verified, query = prompt
    asked = set(grams(user_prompt(query.text, verified.instruction.text), COPIED))
    own = set(grams(text, COPIED)) - asked
    return any(case.strip() == text.strip() or not own.isdisjoint(grams(case, COPIED)) for case in following(verified))

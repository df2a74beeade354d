"""Stage 4, in addition: the writer translates kept verifiers back, and what contradicts the instruction goes.

Paper section 3.2: an instruction and a function that checks something else give themselves away when the function is
put into words. Whether the two contradict is judged by an NLI model or by the writer itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from autoif.config import Config
from autoif.engines import Engine, Reply, Request, Sampling, ask
from autoif.prompts import draw, fill, user
from autoif.records import Drop, Outcome, Usage, VerifiedInstruction

Contradicts = Callable[[str, str], bool]
"""Whether a premise and a hypothesis contradict one another."""
Kept = tuple[int, Outcome[VerifiedInstruction]]


def back_translation(
    outcomes: Iterable[Outcome[VerifiedInstruction]], config: Config, writer: Engine, nli: Contradicts | None
) -> Iterator[Outcome[VerifiedInstruction]]:
    """The outcomes of the cross-check less the verifiers that contradict their instruction; seeds pass untouched.

    Without `nli` the writer judges. An instruction left with fewer than `crosscheck.min_verifiers` is dropped as
    `contradiction`; otherwise its confidence falls to the share that is left.
    """

    def translate(unit: int, outcome: Outcome[VerifiedInstruction]) -> list[Request]:
        return [_request(config, unit, "back_translation", verifier=source) for source in _sources(outcome)]

    def judge(unit: int, outcome: Outcome[VerifiedInstruction], replies: list[Reply]) -> list[Request]:
        if nli or len(replies) > len(_sources(outcome)):
            return []
        instruction = outcome.kept[0].instruction.text
        backs = [back for back in map(_line, replies) if back]
        return [_request(config, unit, "contradiction", instruction=instruction, back=back) for back in backs]

    least = config.crosscheck.min_verifiers
    units = ((outcome.unit, outcome) for outcome in outcomes)
    for _, outcome, replies in ask(writer, units, translate, judge):
        yield _without(outcome, _contradicted(outcome, replies, nli), replies, least) if replies else outcome


def _sources(outcome: Outcome[VerifiedInstruction]) -> list[str]:
    """The verifiers to translate: those a model wrote."""
    return [v.source for kept in outcome.kept if kept.instruction.origin == "model" for v in kept.verifiers]


def _request(config: Config, unit: int, prompt: str, **fields: str) -> Request:
    wanted = config.crosscheck.back_translation_sampling.model_dump()
    return Request("", [user(fill(prompt, **fields))], Sampling(**wanted, seed=draw(config.seed, prompt, unit)))


def _line(reply: Reply) -> str:
    """The first line with words in it."""
    return next((line.strip() for line in reply.text.splitlines() if re.search(r"\w", line)), "")[:1000]


def _contradicted(
    outcome: Outcome[VerifiedInstruction], replies: Sequence[Reply], nli: Contradicts | None
) -> list[tuple[int, str]]:
    """The verifiers (by index) that contradict their instruction, with what they were translated to."""
    count = len(_sources(outcome))
    backs, instruction = [_line(reply) for reply in replies[:count]], outcome.kept[0].instruction.text
    if nli:
        judged = [bool(back) and nli(instruction, back) for back in backs]
    else:
        verdicts = iter(replies[count:])
        judged = [bool(back) and _says_contradiction(next(verdicts)) for back in backs]
    return [(v, backs[v]) for v, contradicts in enumerate(judged) if contradicts]


def _says_contradiction(reply: Reply) -> bool:
    return re.search(r"verdict\W*contradict", reply.text, re.IGNORECASE) is not None


def _without(
    outcome: Outcome[VerifiedInstruction], wrong: Sequence[tuple[int, str]], replies: Sequence[Reply], least: int
) -> Outcome[VerifiedInstruction]:
    usage = sum((reply.spent for reply in replies), outcome.usage or Usage())
    if not wrong:
        return Outcome(outcome.unit, outcome.kept, outcome.dropped, usage)
    verified, gone = outcome.kept[0], {v for v, _ in wrong}
    told = f"{len(gone)} of {len(verified.verifiers)} kept verifiers contradict the instruction when put into words"
    if len(verified.verifiers) - len(gone) < least:
        what = {
            "parent": verified.parent,
            "instruction": verified.instruction.model_dump(mode="json"),
            "explanation": f"dropped: {told}",
            "verifiers": [verifier.source for verifier in verified.verifiers],
            "back_translations": [back for _, back in wrong],
        }
        return Outcome(outcome.unit, (), (*outcome.dropped, Drop("contradiction", what)), usage)
    left = [v for v in range(len(verified.verifiers)) if v not in gone]
    fields = {name: getattr(verified, name) for name in VerifiedInstruction.model_fields if name != "id"}
    fields["verifiers"] = tuple(verified.verifiers[v] for v in left)
    fields["case_verdicts"] = tuple(verified.case_verdicts[v] for v in left)
    fields["confidence"] = verified.confidence * len(left) / len(verified.verifiers)
    fields["explanation"] = f"{verified.explanation}; {told} and are left out"
    return Outcome(outcome.unit, (VerifiedInstruction.make(**fields),), outcome.dropped, usage)

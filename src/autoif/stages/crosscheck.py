"""Stage 4: executes the candidates and keeps the instructions whose verifiers can be believed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from autoif import crosscheck as decide
from autoif.config import Config
from autoif.crosscheck import Decision, Trial, Tried
from autoif.gather import gather
from autoif.prompts import draw
from autoif.records import Candidates, Drop, Instruction, Outcome, Split, VerifiedInstruction
from autoif.sandbox import Job, Result, Sandbox


def crosscheck(
    units: Iterable[tuple[int, Candidates]], config: Config, sandbox: Sandbox, examples: Sequence[str] = ()
) -> Iterator[Outcome[VerifiedInstruction]]:
    """One unit is an instruction with its candidates; `examples` are the verifiers that the writer was shown.

    Labels stay here: the sandbox sees responses only.
    """

    def jobs(unit: int, candidates: Candidates) -> list[Job]:
        return _trial(candidates, config).jobs()

    def run(jobs: Iterable[Job]) -> Iterator[Result]:
        return sandbox.run(jobs, check_determinism=True)

    for unit, candidates, results in gather(units, jobs, run):
        tried = _trial(candidates, config).read(results)
        decision = _decision(candidates, tried, config, examples)
        yield _outcome(unit, candidates, [verifier.cases for verifier in tried], decision, config)


def _trial(candidates: Candidates, config: Config) -> Trial:
    agreement = config.crosscheck.by_agreement(candidates.instruction.origin)
    places = {case.id: place for place, case in enumerate(candidates.cases)}
    text = candidates.instruction.text
    return Trial(
        text,
        [verifier.source for verifier in candidates.verifiers],
        [case.response for case in candidates.cases],
        decide.probes(text) if agreement else (),
        {place: places[case.parent] for place, case in enumerate(candidates.cases) if case.parent in places},
        toggled=agreement,
    )


def _decision(candidates: Candidates, tried: Sequence[Tried], config: Config, examples: Sequence[str]) -> Decision:
    wanted, follows = config.crosscheck, [case.follows for case in candidates.cases]
    if config.crosscheck.by_agreement(candidates.instruction.origin):
        trial = _trial(candidates, config)
        return decide.agreement(trial, tried, follows, examples, min_confidence=wanted.min_confidence)
    return decide.crosscheck(
        [verifier.cases for verifier in tried],
        follows,
        [verifier.deterministic for verifier in tried],
        [case.response for case in candidates.cases],
        case_threshold=wanted.case_threshold,
        function_threshold=wanted.function_threshold,
        min_verifiers=1 if candidates.instruction.seed else wanted.min_verifiers,
        min_cases=wanted.min_cases,
        both_polarities=wanted.both_polarities,
    )


def _outcome(
    unit: int, candidates: Candidates, verdicts: Sequence[Sequence[str]], decision: Decision, config: Config
) -> Outcome[VerifiedInstruction]:
    if decision.reason:
        return Outcome(unit, dropped=(Drop(decision.reason, _evidence(candidates, verdicts, decision.explanation)),))
    verified = VerifiedInstruction.make(
        parent=candidates.id,
        instruction=candidates.instruction,
        verifiers=tuple(candidates.verifiers[v] for v in decision.verifiers),
        cases=tuple(candidates.cases[c] for c in decision.cases),
        case_verdicts=tuple(tuple(verdicts[v][c] for c in decision.cases) for v in decision.verifiers),
        explanation=decision.explanation,
        confidence=1.0 if candidates.instruction.seed else decision.confidence,
        split=split(candidates.instruction, config),
    )
    return Outcome(unit, (verified,))


def _evidence(candidates: Candidates, verdicts: Sequence[Sequence[str]], explanation: str) -> dict[str, object]:
    return {
        "parent": candidates.id,
        "instruction": candidates.instruction.model_dump(mode="json"),
        "explanation": explanation,
        "verifiers": [verifier.source for verifier in candidates.verifiers],
        "cases": [{"response": case.response, "follows": case.follows} for case in candidates.cases],
        "verdicts": verdicts,
    }


def split(instruction: Instruction, config: Config) -> Split:
    """Who may learn from this instruction: a share of kinds and a share of queries is kept for evaluation alone."""
    kind = instruction.seed or instruction.text
    if _share(config.seed, "heldout kind", kind) < config.crosscheck.heldout_instructions:
        return "heldout_instruction"
    query = instruction.queries[0].text
    if _share(config.seed, "heldout query", query) < config.crosscheck.heldout_queries:
        return "heldout_query"
    return "train"


def _share(*key: object) -> float:
    return draw(*key) / 2**31

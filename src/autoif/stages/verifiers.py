"""Stage 3: verification functions and test cases for each instruction (paper section 3.2)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from autoif.config import Config
from autoif.crosscheck import Outlook, Trial, Tried, outlook, probes
from autoif.engines import Engine, Reply, Request, Sampling, ask
from autoif.prompts import assistant, draw, fill, user
from autoif.records import Candidates, Drop, Instruction, Message, Origin, Outcome, TestCase, Usage, Verifier
from autoif.sandbox import Sandbox
from autoif.seeds import BY_NAME, SEEDS, FilledSeed
from autoif.stages.written import read_cases, read_function

IMPORTS = "import re\nimport json\nimport string\n\n\n"
PREFILL = IMPORTS + "def evaluate(response: str) -> bool:"
"""How a reply begins where the engine lets us say so. It ends before the newline, which belongs to the next token."""

CASES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "cases": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"response": {"type": "string"}, "follows": {"type": "boolean"}},
                "required": ["response", "follows"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["cases"],
    "additionalProperties": False,
}


@dataclass
class _Draft:
    """An instruction for which functions are being written, in waves, and then test cases."""

    instruction: Instruction
    functions: int = 0
    """How many of the replies are functions; behind them come test cases, and mutations of test cases."""
    tried: list[Tried] = field(default_factory=list)


def verifiers(
    units: Iterable[tuple[int, Instruction]], config: Config, writer: Engine, sandbox: Sandbox
) -> Iterator[Outcome[Candidates]]:
    """One unit is an instruction. A seed brings its own verifier and cases and costs no request.

    Functions come in waves, each tried on probes before the next is asked for, and test cases last. Once the functions
    agree no more are written, and where none can be used neither more nor test cases.
    """
    waves = _wave(config) is not None
    shown = shown_verifiers(config)

    def first(unit: int, draft: _Draft) -> list[Request]:
        if draft.instruction.seed:
            return []
        functions = _functions(unit, draft, config, writer)
        return functions if waves else [*functions, *_cases(unit, draft, config, writer)]

    def more(unit: int, draft: _Draft, replies: list[Reply]) -> list[Request]:
        if len(replies) > draft.functions:
            asked = draft.functions + config.verifiers.case_replies
            return _mutations(unit, draft, replies, config) if len(replies) == asked else []
        standing = _outlook(draft, _sources(replies, writer), shown, sandbox)
        if standing == "open" and draft.functions < config.verifiers.functions:
            return _functions(unit, draft, config, writer)
        return _cases(unit, draft, config, writer) if standing != "hopeless" else []

    drafts = ((unit, _Draft(instruction)) for unit, instruction in units)
    for unit, draft, replies in ask(writer, drafts, first, more if waves else None):
        if draft.instruction.seed:
            yield Outcome(unit, (_from_seed(draft.instruction),))
        else:
            yield _from_replies(unit, draft, replies, config, writer)


def _wave(config: Config) -> int | None:
    """Votes are counted over all functions, so there they come at once."""
    return config.verifiers.wave if config.crosscheck.by_agreement("model") else None


def _functions(unit: int, draft: _Draft, config: Config, writer: Engine) -> list[Request]:
    """The next functions; none beyond `verifiers.functions`."""
    wanted, start = config.verifiers, draft.functions
    draft.functions = min(start + (_wave(config) or wanted.functions), wanted.functions)
    messages = [
        *_shown_functions(unit % wanted.orders, wanted.shots, config.seed),
        user(fill("verifiers", instruction=draft.instruction.text)),
    ]
    prefill = PREFILL if writer.supports_prefill else ""
    return [Request("", messages, _sampling(config, unit, k), prefill) for k in range(start, draft.functions)]


def _cases(unit: int, draft: _Draft, config: Config, writer: Engine) -> list[Request]:
    wanted, count = config.verifiers, config.verifiers.cases_per_reply
    messages = [
        *_shown_cases(unit % wanted.orders, wanted.shots, config.seed, count),
        user(fill("cases", instruction=draft.instruction.text, count=count)),
    ]
    schema = CASES_SCHEMA if writer.supports_schema else None
    return [Request("", messages, _sampling(config, unit, -1 - k), schema=schema) for k in range(wanted.case_replies)]


def _mutations(unit: int, draft: _Draft, replies: Sequence[Reply], config: Config) -> list[Request]:
    text, cases = draft.instruction.text, _mutated(draft, replies, config)
    prompts = [fill("mutation", instruction=text, response=case.response) for case in cases]
    return [Request("", [user(prompt)], _sampling(config, unit, -100 - k)) for k, prompt in enumerate(prompts)]


def _mutated(draft: _Draft, replies: Sequence[Reply], config: Config) -> list[TestCase]:
    """The test cases that the writer is asked to break: the first that it takes for right."""
    written = replies[draft.functions : draft.functions + config.verifiers.case_replies]
    right = [case for reply in written for case in read_cases(reply.text)[0] if case[1]]
    return _test_cases(draft.instruction.id, right[: config.verifiers.mutations], "model")


def _outlook(draft: _Draft, sources: Sequence[str], shown: Sequence[str], sandbox: Sandbox) -> Outlook:
    """What the functions so far promise. Each is run once, on the probes as they are."""
    text = draft.instruction.text
    texts = probes(text)
    draft.tried += Trial(text, sources[len(draft.tried) :], texts, ()).run(sandbox)
    return outlook(Trial(text, sources, texts, ()), draft.tried, shown)


def _sampling(config: Config, unit: int, sample: int) -> Sampling:
    return Sampling(**config.verifiers.sampling.model_dump(), seed=draw(config.seed, "verifiers", unit, sample))


@cache
def _shown_functions(order: int, number: int, seed: int) -> tuple[Message, ...]:
    return tuple(
        turn
        for shot in shots(order, number, seed)
        for turn in (user(fill("verifiers", instruction=shot.instruction)), assistant(IMPORTS + shot.verifier.strip()))
    )


@cache
def _shown_cases(order: int, number: int, seed: int, count: int) -> tuple[Message, ...]:
    return tuple(
        turn
        for shot in shots(order, number, seed)
        for turn in (user(fill("cases", instruction=shot.instruction, count=count)), assistant(_case_lines(shot)))
    )


def shown_verifiers(config: Config) -> list[str]:
    """The functions that a writer is shown as examples."""
    wanted = config.verifiers
    shown = (shot for order in range(wanted.orders) for shot in shots(order, wanted.shots, config.seed))
    return [IMPORTS + shot.verifier.strip() for shot in shown]


def shots(order: int, number: int, seed: int) -> list[FilledSeed]:
    """The seeds shown as examples in one of the fixed orders."""
    ranked = sorted(SEEDS, key=lambda s: draw(seed, "verifier shots", order, s.name))
    return [shot.example() for shot in ranked[:number]]


def _case_lines(shot: FilledSeed) -> str:
    return "\n".join(json.dumps({"response": r, "follows": f}, ensure_ascii=False) for r, f in shot.cases)


def _from_seed(instruction: Instruction) -> Candidates:
    filled = BY_NAME[instruction.seed or ""].fill(**instruction.parameters)
    cases = _test_cases(instruction.id, filled.cases, "seed")
    return _candidates(instruction, [filled.verifier], cases, "seed")


def _sources(replies: Sequence[Reply], writer: Engine) -> list[str]:
    found = (read_function(reply.text, PREFILL if writer.supports_prefill else "") for reply in replies)
    return [source for source in found if source is not None]


def _from_replies(
    unit: int, draft: _Draft, replies: Sequence[Reply], config: Config, writer: Engine
) -> Outcome[Candidates]:
    instruction, functions = draft.instruction, replies[: draft.functions]
    end = draft.functions + config.verifiers.case_replies
    written, dropped = [], []
    for reply in functions:
        if not _sources([reply], writer):
            dropped.append(Drop("no_function", {"text": reply.text, "parent": instruction.id, "error": reply.error}))
    for reply in replies[draft.functions : end]:
        found, bad = read_cases(reply.text)
        written += found
        dropped += [Drop("malformed_test_case", {"text": text, "parent": instruction.id}) for text in bad]
    cases = _test_cases(instruction.id, written, "model")
    for case, reply in zip(_mutated(draft, replies, config), replies[end:], strict=True):
        if reply.finish == "stop" and reply.text.strip() not in ("", case.response.strip()):
            cases += _test_cases(case.id, [(reply.text, False)], "model")
    usage = sum((r.spent for r in replies), Usage())
    sources = _sources(functions, writer)
    kept = (_candidates(instruction, sources, cases, "model"),) if sources else ()
    return Outcome(unit, kept, tuple(dropped), usage)


def _candidates(
    instruction: Instruction, sources: Sequence[str], cases: Sequence[TestCase], origin: Origin
) -> Candidates:
    verifiers = tuple(Verifier.make(parent=instruction.id, source=source, origin=origin) for source in sources)
    return Candidates.make(parent=instruction.id, instruction=instruction, verifiers=verifiers, cases=tuple(cases))


def _test_cases(parent: str, cases: Sequence[tuple[str, bool]], origin: Origin) -> list[TestCase]:
    return [TestCase.make(parent=parent, response=text, follows=follows, origin=origin) for text, follows in cases]

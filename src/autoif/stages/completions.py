"""Stage 5: several answers of the policy to every query + verified instruction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from autoif.config import CompletionsConfig, Config
from autoif.crosscheck.probes import NUMBER_WORDS
from autoif.engines import Engine, Reply, Request, Sampling, ask
from autoif.loops import loops
from autoif.prompts import draw, user_prompt
from autoif.records import Completion, Drop, Outcome, Usage
from autoif.sandbox import Job, Sandbox, Verdict
from autoif.stages.shown import Prompt, copies_a_case, following, messages

UPPER_BOUND = re.compile(
    r"\b(?:at most|no more than|no longer than|fewer than|less than|under|up to|within|maximum of|exactly|fit into)"
    rf"\s+(\d{{1,4}}|{'|'.join(NUMBER_WORDS)})\s+(word|character|sentence)s?\b"
)
PARTIAL = re.compile(r"\b(each|every|per|any|none|least|section|line|bullet|point|item|begin|start|end|title|word of)")
"""Words by which a bound may be one of a part of the answer."""
TOKENS = {"word": 2.0, "character": 0.5, "sentence": 50.0}
"""Generous: English has about 1.3 tokens a word and 4 characters a token."""
SLACK = 16


def completions(
    units: Iterable[tuple[int, Prompt]], config: Config, policy: Engine, sandbox: Sandbox
) -> Iterator[Outcome[Completion]]:
    """One unit is a verified instruction with one of its queries; held-out ones pass through unanswered.

    Answers come in waves, each verified before the next is asked for. Labels are given in stage 6; here a plain pass or
    fail tells whether a prompt has both kinds. Where the first wave has no passing answer, later ones may be shown
    test cases: their answers are those of the policy to an easier prompt, kept for the plain one.
    """
    wanted = config.completions

    def prompts(unit: int, prompt: Prompt) -> list[Request]:
        return wave(unit, prompt, 0, config) if prompt[0].split == "train" else []

    def more(unit: int, prompt: Prompt, replies: list[Reply]) -> list[Request]:
        start = len(replies)
        if start >= wanted.per_instruction:
            return []
        passes = _passes(prompt, replies, sandbox, wanted)
        cases = wanted.show_cases and not any(passes[: wanted.wave]) and bool(following(prompt[0]))
        told = passes[wanted.wave :] if cases else passes  # plain answers say nothing of those after a test case
        return wave(unit, prompt, start, config, cases) if promising(told, wanted) else []

    for unit, prompt, replies in ask(policy, units, prompts, more):
        yield _outcome(unit, prompt, replies, wanted)


def wave(unit: int, prompt: Prompt, start: int, config: Config, cases: bool = False) -> list[Request]:
    """The next samples, from number `start`, at most as many as `per_instruction` leaves; `cases` shows test cases."""
    wanted = config.completions
    end = min(start + (wanted.wave or wanted.per_instruction), wanted.per_instruction)
    sampling = Sampling(**wanted.sampling.model_dump())
    cap = length_cap(prompt[0].instruction.text)
    sampling = replace(sampling, max_tokens=min(cap or sampling.max_tokens, sampling.max_tokens))
    return [
        Request(
            "",
            messages(unit, prompt, sample, config, cases),
            replace(sampling, seed=draw(config.seed, "completions", unit, sample)),
        )
        for sample in range(start, end)
    ]


def length_cap(instruction: str) -> int | None:
    """Tokens after which an answer is far beyond the upper bound that the instruction sets; None where it sets none.

    Twice the bound, so that an answer somewhat too long still comes to its end and can be a rejected one.
    """
    bounds = UPPER_BOUND.findall(instruction.lower())
    if len(bounds) != 1 or PARTIAL.search(instruction.lower()):
        return None
    number, unit = bounds[0]
    return round(2 * int(NUMBER_WORDS.get(number, number)) * TOKENS[unit]) + SLACK


def promising(passes: Sequence[bool | None], wanted: CompletionsConfig) -> bool:
    """Whether the rarer kind of answer is still likely enough: its share by Laplace's rule of succession.

    `passes` holds a bool for each answer, None for one that cannot be used.
    """
    rarer = min(passes.count(True), passes.count(False))
    return (rarer + 1) / (len(passes) + 2) >= wanted.min_contrast


def _passes(prompt: Prompt, replies: Sequence[Reply], sandbox: Sandbox, wanted: CompletionsConfig) -> list[bool | None]:
    """Whether most of the verifiers pass an answer or none does; None in between, and for an answer with a problem."""
    texts = [reply.text for reply in replies]
    rows = [
        result.verdicts for result in sandbox.run(Job("", verifier.source, texts) for verifier in prompt[0].verifiers)
    ]
    passes: list[bool | None] = []
    for reply, verdicts in zip(replies, zip(*rows, strict=True), strict=True):
        rate = verdicts.count(Verdict.TRUE) / len(verdicts)
        cut = reply.finish == "length"
        clear = (cut or rate >= 0.5 or rate == 0) and not _problem(prompt, reply, wanted)
        passes.append(rate >= 0.5 and not cut if clear else None)
    return passes


def _outcome(unit: int, prompt: Prompt, replies: Sequence[Reply], wanted: CompletionsConfig) -> Outcome[Completion]:
    kept: list[Completion] = []
    dropped: list[Drop] = []
    seen: set[str] = set()
    verified, query = prompt
    for sample, reply in enumerate(replies):
        problem = _problem(prompt, reply, wanted) or ("duplicate" if reply.text in seen else None)
        if problem:
            what = {"text": reply.text, "query": query.text, "parent": verified.id, "error": reply.error}
            dropped.append(Drop(problem, what))
        else:
            seen.add(reply.text)
            kept.append(_completion(prompt, sample, reply))
    return Outcome(unit, tuple(kept), tuple(dropped), sum((reply.spent for reply in replies), Usage()))


def _problem(prompt: Prompt, reply: Reply, wanted: CompletionsConfig) -> str | None:
    if reply.finish == "length" and not loops(reply.text):
        return "truncated"
    if reply.finish == "error" or not reply.text.strip():
        return "empty"
    return "copied" if wanted.show_cases and copies_a_case(reply.text, prompt) else None


def _completion(prompt: Prompt, sample: int, reply: Reply) -> Completion:
    verified, query = prompt
    instruction = verified.instruction.text
    return Completion.make(
        parent=verified.id,
        query=query.text,
        instruction=instruction,
        prompt=user_prompt(query.text, instruction),
        text=reply.text,
        sample=sample,
        tokens=reply.usage.completion_tokens,
        cut=reply.finish == "length",
    )

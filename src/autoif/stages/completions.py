"""Stage 5: several answers of the policy to every query + verified instruction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from autoif.config import Config
from autoif.engines import Engine, Reply, Request, Sampling, ask
from autoif.prompts import draw, fill, user, user_prompt
from autoif.records import Completion, Drop, Outcome, Usage, VerifiedInstruction

Unit = tuple[int, VerifiedInstruction]


def completions(units: Iterable[Unit], config: Config, policy: Engine) -> Iterator[Outcome[Completion]]:
    """One unit is a verified instruction with its queries; held-out instructions pass through unanswered."""

    for unit, verified, replies in ask(policy, units, lambda unit, verified: requests(unit, verified, config)):
        yield _outcome(unit, verified, replies, config.completions.per_instruction)


def requests(unit: int, verified: VerifiedInstruction, config: Config) -> list[Request]:
    """Every sample of every query; none for what is held out."""
    if verified.split != "train":
        return []
    wanted = config.completions
    return [
        Request("", [user(_shown(unit, query.text, sample, verified, config))], sampling)
        for place, query in enumerate(verified.instruction.queries)
        for sample in range(wanted.per_instruction)
        for sampling in [
            Sampling(**wanted.sampling.model_dump(), seed=draw(config.seed, "completions", unit, place, sample))
        ]
    ]


def _shown(unit: int, query: str, sample: int, verified: VerifiedInstruction, config: Config) -> str:
    """What the policy sees now; the training prompt is always the plain one."""
    prompt = user_prompt(query, verified.instruction.text)
    if not config.completions.show_verifier:
        return prompt
    verifiers = verified.verifiers
    shown = verifiers[draw(config.seed, "shown verifier", unit, sample) % len(verifiers)]
    return fill("shown_verifier", prompt=prompt, verifier=shown.source)


def _outcome(unit: int, verified: VerifiedInstruction, replies: Sequence[Reply], per_query: int) -> Outcome[Completion]:
    kept: list[Completion] = []
    dropped: list[Drop] = []
    seen: set[tuple[str, str]] = set()
    for number, reply in enumerate(replies):
        query = verified.instruction.queries[number // per_query].text
        problem = _problem(reply, query, seen)
        if problem:
            what = {"text": reply.text, "query": query, "parent": verified.id, "error": reply.error}
            dropped.append(Drop(problem, what))
        else:
            kept.append(_completion(verified, query, number % per_query, reply))
    return Outcome(unit, tuple(kept), tuple(dropped), sum((reply.usage for reply in replies), Usage()))


def _problem(reply: Reply, query: str, seen: set[tuple[str, str]]) -> str | None:
    if reply.finish == "length":
        return "truncated"
    if reply.finish == "error" or not reply.text.strip():
        return "empty"
    if (query, reply.text) in seen:
        return "duplicate"
    seen.add((query, reply.text))
    return None


def _completion(verified: VerifiedInstruction, query: str, sample: int, reply: Reply) -> Completion:
    instruction = verified.instruction.text
    return Completion.make(
        parent=verified.id,
        query=query,
        instruction=instruction,
        prompt=user_prompt(query, instruction),
        text=reply.text,
        sample=sample,
        tokens=reply.usage.completion_tokens,
    )

"""Stage 2: instructions for queries, by the writer and from the hand-written seeds (paper section 3.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from string import Template

from autoif.config import Config
from autoif.engines import Engine, Reply, Request, Sampling, ask
from autoif.prompts import assistant, draw, fill, user
from autoif.records import Drop, Instruction, Message, Outcome, Query, Usage
from autoif.seeds import SEEDS, Seed

Queries = tuple[Query, ...]

LONGEST = 300
"""Characters. A longer reply is an answer to the query, not an instruction about one."""

FORM = re.compile(
    r"\b(answer|respon[ds]|reply|writ|words?\b|sentence|paragraph|line|bullet|list|letter|capital|upper|lower|case"
    r"|start|begin|end|finish|includ|mention|avoid|use|using|without|format|json|table|title|heading|section|comma"
    r"|punctuation|quot|exactly|at least|at most|no more|fewer|keep|limit|brief|short|long|number|character|keyword)",
    re.IGNORECASE,
)
"""What an instruction about the form of an answer speaks of. A reply with none of it is taken for an answer."""

NO_INSTRUCTION = re.compile(r"(here\b|sure\b|so\b|i\b|yes\b|what\b|how\b|why\b|who\b|of course\b|.*\?$)", re.IGNORECASE)
"""How a reply begins (or ends, with a question mark) that speaks to the user instead of telling the assistant."""


def instructions(
    units: Iterable[tuple[int, Queries]], config: Config, writer: Engine
) -> Iterator[Outcome[Instruction]]:
    """One unit is the queries of one request: a single one in `proactive` mode, a batch to attach in `paper` mode."""
    proactive = config.instructions.mode == "proactive"
    requests, parse = (_proactive_requests, _proactive) if proactive else (_paper_requests, _paper)
    for unit, queries, replies in ask(writer, units, lambda unit, queries: requests(unit, queries, config)):
        kept, dropped = parse(unit, queries, replies, config)
        dropped += [Drop("empty", {"error": reply.error}) for reply in replies if reply.error]
        yield Outcome(unit, tuple(kept), tuple(dropped), sum((r.spent for r in replies), Usage()))


def _proactive_requests(unit: int, queries: Queries, config: Config) -> list[Request]:
    wanted = config.instructions
    prefix = _shown_turns(unit % wanted.orders, wanted.shots, config.seed)
    messages = [*prefix, user(fill("instructions", query=queries[0].text))]
    return [Request("", messages, _sampling(config, unit, sample)) for sample in range(wanted.per_query)]


@cache
def _shown_turns(order: int, shots: int, seed: int) -> tuple[Message, ...]:
    return tuple(
        turn
        for shot in examples(order, shots, seed)
        for turn in (user(fill("instructions", query=shot.query)), assistant(shot.example().instruction))
    )


def _paper_requests(unit: int, queries: Queries, config: Config) -> list[Request]:
    wanted = config.instructions
    shots = examples(unit % wanted.orders, wanted.shots, config.seed, general=True)
    lines = "\n".join(shot.example().instruction for shot in shots)
    messages = [
        user(fill("rewrites", count=len(shots))),
        assistant(lines),
        user(fill("more_rewrites", count=wanted.rewrites_per_reply)),
    ]
    sampling = _sampling(config, unit, 0)
    return [Request("", messages, replace(sampling, max_tokens=sampling.max_tokens * wanted.rewrites_per_reply))]


def _sampling(config: Config, unit: int, sample: int) -> Sampling:
    wanted = config.instructions.sampling
    return Sampling(**wanted.model_dump(), seed=draw(config.seed, "instructions", unit, sample))


def _proactive(
    unit: int, queries: Queries, replies: Sequence[Reply], config: Config
) -> tuple[list[Instruction], list[Drop]]:
    query = queries[0]
    kept = [_seeded(seed, (query,), config) for seed in _seeds_for(query, config)]
    dropped = []
    for reply in replies:
        if reply.error:
            continue
        text, problem = read_instruction(reply.text)
        problem = problem or ("duplicate" if text.casefold() in _seed_texts() else None)
        if problem:
            dropped.append(Drop(problem, {"text": reply.text, "query": query.text, "parent": query.id}))
        else:
            kept.append(Instruction.make(parent=query.id, text=text, origin="model", queries=(query,)))
    return kept, dropped


def _paper(
    unit: int, queries: Queries, replies: Sequence[Reply], config: Config
) -> tuple[list[Instruction], list[Drop]]:
    """The first units carry the seeds too, so that the result is D_seed and D_aug together (paper section 3.2), or
    D_aug alone where none are wanted."""
    each = config.instructions.queries_per_instruction
    groups = [queries[i : i + each] for i in range(0, len(queries), each)]
    kept, dropped = [], []
    lines = [line for reply in replies if not reply.error for line in _whole_lines(reply)]
    for line, attached in zip(lines, groups, strict=False):
        text, problem = read_instruction(line)
        if problem:
            dropped.append(Drop(problem, {"text": line}))
        else:
            kept.append(Instruction.make(parent=attached[0].id, text=text, origin="model", queries=attached))
    seeds = SEEDS if config.instructions.seeds_per_query else []
    per_unit = -(-len(seeds) // config.instructions.rewrite_replies)
    for place, seed in enumerate(seeds[unit * per_unit : (unit + 1) * per_unit]):
        kept.append(_seeded(seed, groups[place % len(groups)], config))
    return kept, dropped


def _whole_lines(reply: Reply) -> list[str]:
    """The lines with something in them, less the last of a reply that was cut."""
    lines = [line for line in reply.text.splitlines() if line.strip()]
    return lines[:-1] if reply.finish == "length" else lines


def read_instruction(text: str) -> tuple[str, str | None]:
    """The instruction in a reply and, when there is none, the reason to drop it."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if not lines:
        return "", "empty"
    line = _unquoted(re.sub(r"^(instruction:|[-*•]|\d+[.)])\s*", "", lines[0], flags=re.IGNORECASE).strip())
    if not re.search(r"[^\W\d]", line):
        return line, "empty"
    if (
        len(line) > LONGEST
        or len(text) > 2 * LONGEST
        or "```" in text
        or not FORM.search(line)
        or NO_INSTRUCTION.match(line)
    ):
        return line, "answers_the_query"
    return line, None


def _unquoted(line: str) -> str:
    """Without quotation marks around the whole. Those of a quotation at either end stay."""
    inner = line.strip('"')
    if '"' not in inner:
        return inner.strip()
    nested = re.fullmatch(r'"([^"]*[\s(]".*)"', line)  # the second mark opens, so the first is still open
    return nested[1] if nested else line


def examples(order: int, shots: int, seed: int, general: bool = False) -> list[Seed]:
    """The few-shot seeds in one of a few fixed draws, so that prefix caching pays (measured: five times)."""
    pool = [s for s in SEEDS if s.general or not general]
    return sorted(pool, key=lambda s: draw(seed, "shots", order, s.name))[:shots]


@cache
def _seed_texts() -> frozenset[str]:
    return frozenset(seed.example().instruction.casefold() for seed in SEEDS)


def _seeds_for(query: Query, config: Config) -> list[Seed]:
    """Different seeds that fit any query, drawn for this one."""
    pool = [seed for seed in SEEDS if seed.general]
    count = min(config.instructions.seeds_per_query, len(pool))
    return [pool.pop(draw(config.seed, "seed", query.id, n) % len(pool)) for n in range(count)]


def _seeded(seed: Seed, queries: Queries, config: Config) -> Instruction:
    """The seed's instruction for these queries, with parameters drawn for the first of them."""
    choices = seed.choices()
    parameters = choices[draw(config.seed, "parameters", queries[0].id, seed.name) % len(choices)]
    return Instruction.make(
        parent=queries[0].id,
        text=Template(seed.instruction).substitute(parameters),
        origin="seed",
        queries=queries,
        seed=seed.name,
        parameters=parameters,
    )

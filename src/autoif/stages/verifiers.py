"""Stage 3: verification functions and test cases for each instruction (paper section 3.2)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from autoif.config import Config
from autoif.engines import Engine, Reply, Request, Sampling, ask
from autoif.prompts import assistant, draw, fill, user
from autoif.records import Candidates, Drop, Instruction, Message, Outcome, TestCase, Usage, Verifier, clean
from autoif.seeds import BY_NAME, SEEDS, FilledSeed

IMPORTS = "import re\nimport json\nimport string\n\n\n"
PREFILL = IMPORTS + "def evaluate(response: str) -> bool:"
"""How a reply begins where the engine lets us say so. It ends before the newline, which belongs to the next token."""

LONGEST_SOURCE = 20_000
LONGEST_RESPONSE = 20_000
"""Characters; longer ones are model noise."""

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


def verifiers(
    units: Iterable[tuple[int, Instruction]], config: Config, writer: Engine
) -> Iterator[Outcome[Candidates]]:
    """One unit is an instruction. A seed brings its own verifier and cases and costs no request."""

    def requests(unit: int, instruction: Instruction) -> list[Request]:
        return [] if instruction.seed else _requests(unit, instruction, config, writer)

    for unit, instruction, replies in ask(writer, units, requests):
        if instruction.seed:
            yield Outcome(unit, (_from_seed(instruction),))
        else:
            yield _from_replies(unit, instruction, replies, config, writer)


def _requests(unit: int, instruction: Instruction, config: Config, writer: Engine) -> list[Request]:
    wanted = config.verifiers
    order, count = unit % wanted.orders, wanted.cases_per_reply
    functions = [
        *_shown_functions(order, wanted.shots, config.seed),
        user(fill("verifiers", instruction=instruction.text)),
    ]
    cases = [
        *_shown_cases(order, wanted.shots, config.seed, count),
        user(fill("cases", instruction=instruction.text, count=count)),
    ]
    prefill = PREFILL if writer.supports_prefill else ""
    schema = CASES_SCHEMA if writer.supports_schema else None
    return [
        *(Request("", functions, _sampling(config, unit, k), prefill=prefill) for k in range(wanted.functions)),
        *(Request("", cases, _sampling(config, unit, -1 - k), schema=schema) for k in range(wanted.case_replies)),
    ]


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
    return _candidates(instruction, [filled.verifier], filled.cases, "seed")


def _from_replies(
    unit: int, instruction: Instruction, replies: Sequence[Reply], config: Config, writer: Engine
) -> Outcome[Candidates]:
    count = config.verifiers.functions
    sources, cases, dropped = [], [], []
    for reply in replies[:count]:
        source = read_function(reply.text, PREFILL if writer.supports_prefill else "")
        if source is None:
            dropped.append(Drop("no_function", {"text": reply.text, "parent": instruction.id, "error": reply.error}))
        else:
            sources.append(source)
    for reply in replies[count:]:
        found, bad = read_cases(reply.text)
        cases += found
        dropped += [Drop("malformed_test_case", {"text": text, "parent": instruction.id}) for text in bad]
    usage = sum((r.usage for r in replies), Usage())
    kept = (_candidates(instruction, sources, cases, "model"),) if sources else ()
    return Outcome(unit, kept, tuple(dropped), usage)


def _candidates(instruction: Instruction, sources: Any, cases: Any, origin: str) -> Candidates:
    return Candidates.make(
        parent=instruction.id,
        instruction=instruction,
        verifiers=tuple(Verifier.make(parent=instruction.id, source=s, origin=origin) for s in sources),
        cases=tuple(TestCase.make(parent=instruction.id, response=r, follows=f, origin=origin) for r, f in cases),
    )


def read_function(text: str, prefill: str = "") -> str | None:
    """The Python source in a reply, or None. It is only cut out here, never parsed: that is the sandbox's work."""
    source = prefill + text
    fenced = re.search(r"```(?:python|py)?[ \t]*\n(.*?)(?:```|\Z)", source, re.DOTALL)
    if prefill:
        source = source.split("```", 1)[0]
    elif fenced:
        source = fenced.group(1)
    else:
        start = re.search(r"^(?:import |from |def )", source, re.MULTILINE)
        source = source[start.start() :] if start else source
    source = _without_prose(source)
    if not re.search(r"^def evaluate\(", source, re.MULTILINE) or len(source) > LONGEST_SOURCE:
        return None
    if re.sub(r"#.*", "", source).rstrip().endswith(":"):
        return None  # a head without a body
    return source.rstrip() + "\n"


CODE_LINE = re.compile(r"\s|$|def |class |import |from |@|#|[A-Za-z_][\w, ]*(?::[^=]+)?=|[)\]}]|if __name__|\"\"\"|'''")


def _without_prose(source: str) -> str:
    """The source up to the first line at column 0 that cannot be code, where a chatty model began to explain."""
    seen, lines = False, []
    for line in source.splitlines():
        if seen and not CODE_LINE.match(line):
            break
        seen = seen or line.startswith("def evaluate(")
        lines.append(line)
    return "\n".join(lines)


def read_cases(text: str) -> tuple[list[tuple[str, bool]], list[str]]:
    """Test cases in a reply, (response, follows) each, and the pieces that look like one and are not."""
    pieces = _json_pieces(text)
    good, bad = [], []
    for piece, value in pieces:
        case = _case(value)
        if case:
            good.append(case)
        else:
            bad.append(piece[:500])
    return good, bad if pieces or not text.strip() else [text[:500]]


def _json_pieces(text: str) -> list[tuple[str, Any]]:
    """Each case of a JSON document or of JSON lines; a line that begins like JSON and is not has the value None."""
    whole = _load(re.sub(r"^```(?:json|jsonl)?\s*|\s*```$", "", text.strip()))
    if isinstance(whole, dict) and isinstance(whole.get("cases"), list):
        whole = whole["cases"]
    if isinstance(whole, list):
        return [(json.dumps(value)[:500], value) for value in whole]
    lines = (line.strip().rstrip(",") for line in text.splitlines())
    return [(line, _load(line)) for line in lines if line.startswith("{")]


def _load(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _case(value: Any) -> tuple[str, bool] | None:
    if not isinstance(value, dict):
        return None
    response = value.get("response")
    follows = next((value[key] for key in ("follows", "result", "output") if key in value), None)
    if not isinstance(response, str) or not isinstance(follows, bool) or len(response) > LONGEST_RESPONSE:
        return None
    return clean(response), follows

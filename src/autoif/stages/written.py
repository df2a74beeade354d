"""Verification functions and test cases, cut out of whatever a model writes. Nothing is parsed as code or run here."""

from __future__ import annotations

import json
import re
from typing import Any

from autoif.records import clean

LONGEST_SOURCE = 20_000
LONGEST_RESPONSE = 20_000
"""Characters; longer ones are model noise."""


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

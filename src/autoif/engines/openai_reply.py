"""What an OpenAI-compatible server sends: a reply, or trouble."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

from autoif.engines.base import Finish, Reply
from autoif.engines.endpoints import Kind, Trouble
from autoif.records import Usage, clean

PROMPT_PROBLEMS = (
    "context length",
    "context_length",
    "too long",
    "request too large",
    "content_filter",
    "content management policy",
)
"""In a 4xx answer: the fault of this prompt, not of the configuration or of the moment."""


def read_reply(id: str, content: bytes) -> Reply:
    """The reply in the body of a 200. Raises Trouble, with what it cost, when there is none."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise Trouble("the reply is not whole JSON") from None
    body = body if isinstance(body, dict) else {}
    usage = _usage(body.get("usage"))
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    if not isinstance(message, dict):
        said = content[:200].decode("utf-8", "replace")
        raise Trouble(f"the reply has no choices: {said}", usage=usage)
    text = _text(message.get("content")) or _text(message.get("refusal"))
    finish: Finish = "length" if choice.get("finish_reason") == "length" else "stop"
    return Reply(id, clean(text), finish, usage)


def read_refusal(id: str, status: int, text: str, headers: Any) -> Reply | None:
    """Sorts an error status: an error reply if it is the fault of this prompt, None if it is the end.

    Raises Trouble when it is worth another try.
    """
    if status in (400, 413, 422, 429) and any(problem in text.lower() for problem in PROMPT_PROBLEMS):
        return Reply(id, "", "error", error=clean(f"status {status}: {text[:200]}"))
    if status >= 500 or status == 408 or (status == 429 and "insufficient_quota" not in text):
        kind: Kind = "busy" if status in (429, 503) else "slow" if status == 408 else "broken"
        raise Trouble(f"status {status}", kind, _retry_after(headers))
    return None


def _retry_after(headers: Any) -> float:
    """Seconds from a Retry-After header, which holds a number or a date; 0 without one."""
    value = headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (ValueError, TypeError):
        return 0.0


def _usage(spent: Any) -> Usage:
    if not isinstance(spent, dict):
        return Usage()
    return Usage(_count(spent.get("prompt_tokens")), _count(spent.get("completion_tokens")))


def _text(content: Any) -> str:
    """A message's content is a string, null, or a list of parts."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _count(value: Any) -> int:
    return value if type(value) is int and value >= 0 else 0

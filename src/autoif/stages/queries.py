"""Stage 1: the first human turn of a conversation becomes a query, unless a filter drops it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from autoif.config import QueriesConfig
from autoif.language import foreign
from autoif.records import Conversation, Drop, Outcome, Query, clean

EXCERPT = 2000
"""Characters of a dropped text that are kept to look at."""


def queries(units: Iterable[tuple[int, Conversation]], config: QueriesConfig) -> Iterator[Outcome[Query]]:
    """One outcome per conversation, in order. Duplicates are decided later, when the outcomes are sealed in order.

    Raises InputError when `config.language` is not a known language.
    """
    is_foreign = foreign(config.language) if config.language else _never
    for unit, conversation in units:
        result = _judge(conversation, config, is_foreign)
        yield Outcome(unit, kept=(result,)) if isinstance(result, Query) else Outcome(unit, dropped=(result,))


def _judge(conversation: Conversation, config: QueriesConfig, is_foreign: Callable[[str], bool]) -> Query | Drop:
    source = clean(conversation.source)
    if conversation.problem is not None:
        return Drop("malformed", {"problem": clean(conversation.problem)[:EXCERPT], "source": source})
    if conversation.text is None:
        return Drop("not_first_human_turn", {"source": source})
    text = clean(conversation.text).replace("\0", "").strip()
    reason = _reason(text, config, is_foreign)
    return Drop(reason, {"text": text[:EXCERPT], "source": source}) if reason else Query.make(text=text, source=source)


def _reason(text: str, config: QueriesConfig, is_foreign: Callable[[str], bool]) -> str | None:
    if not text or len(text) < config.min_chars:
        return "too_short"
    if len(text) > config.max_chars:
        return "too_long"
    return "wrong_language" if is_foreign(text) else None


def _never(text: str) -> bool:
    return False

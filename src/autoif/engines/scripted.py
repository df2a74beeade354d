"""Canned replies with faults on demand: for dry runs and tests, of a whole pipeline too."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autoif.config import EngineConfig
from autoif.engines.base import Engine, Finish, Reply, Request, Sampling
from autoif.errors import EngineError, InputError
from autoif.records import Usage, clean

CHARS_PER_TOKEN = 4
Script = Callable[[Request], str]


class ScriptedEngine(Engine):
    """Answers at once from `script`: a queue of texts (used in order, then from its start again) or a function.

    A text longer than `max_tokens` (at 4 characters a token) is cut and finishes with `length`, as a model's would.
    Faults, each off at 0: every `error_every`-th reply is an error, every `cut_every`-th is cut in half with finish
    `length`, and after `fail_after` replies the engine raises EngineError. With `window` above 1, replies come out of
    order, shuffled by `seed` among that many requests under way.
    """

    def __init__(
        self,
        script: Sequence[str] | Script,
        *,
        error_every: int = 0,
        cut_every: int = 0,
        fail_after: int = 0,
        window: int = 1,
        seed: int = 0,
        prefill: bool = False,
        schema: bool = False,
    ) -> None:
        self.script = script
        self.error_every = error_every
        self.cut_every = cut_every
        self.fail_after = fail_after
        self.window = window
        self.random = random.Random(seed)
        self.supports_prefill = prefill
        self.supports_schema = schema
        self.answered = 0

    def generate(self, requests: Iterable[Request]) -> Iterator[Reply]:
        source = iter(requests)
        if self.window == 1:
            yield from map(self._reply, source)
            return
        open_requests: list[Request] = []
        while open_requests := open_requests + list(islice(source, self.window - len(open_requests))):
            chosen = self.random.randrange(len(open_requests))
            yield self._reply(open_requests.pop(chosen))

    def _reply(self, request: Request) -> Reply:
        if self.fail_after and self.answered >= self.fail_after:
            raise EngineError(f"The scripted engine stopped after {self.answered} replies, as it was told to.")
        text = clean(self._text(request))
        self.answered += 1
        read = _tokens(sum(len(message["content"]) for message in request.messages) + len(request.prefill))
        if self.error_every and self.answered % self.error_every == 0:
            return Reply(request.id, "", "error", Usage(read), "scripted error")
        text, finish = self._cut(text, request.sampling)
        return Reply(request.id, text, finish, Usage(read, _tokens(len(text))))

    def _text(self, request: Request) -> str:
        if callable(self.script):
            return self.script(request)
        return self.script[self.answered % len(self.script)]

    def _cut(self, text: str, sampling: Sampling) -> tuple[str, Finish]:
        for stop in sampling.stop:
            text = text.partition(stop)[0]
        longest = sampling.max_tokens * CHARS_PER_TOKEN
        if self.cut_every and self.answered % self.cut_every == 0:
            longest = min(longest, len(text) // 2)
        return (text, "stop") if len(text) <= longest else (text[:longest], "length")


class Rule(BaseModel):
    """Replies for the requests whose last message contains every text of `when`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    when: tuple[str, ...] = ()
    replies: Annotated[tuple[str, ...], Field(min_length=1)]

    def fits(self, last: str) -> bool:
        return all(map(last.__contains__, self.when))


class Options(BaseModel):
    """What `options` of a scripted engine may hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    replies: tuple[str, ...] = ()
    """Texts to draw from."""
    replies_file: Path | None = None
    """JSON lines: each a rule {"when": [...], "replies": [...]}. The first rule that fits a request answers it."""
    echo: bool = False
    """Answer with the last message."""
    error_every: Annotated[int, Field(ge=0)] = 0
    cut_every: Annotated[int, Field(ge=0)] = 0
    fail_after: Annotated[int, Field(ge=0)] = 0
    window: Annotated[int, Field(ge=1)] = 1
    prefill: bool = False
    json_schema: bool = False


def load_scripted(config: EngineConfig) -> ScriptedEngine:
    """A scripted engine from `options`; without any, a built-in script that takes a whole run from end to end.

    Which reply a request gets follows from its own text and seed, so an interrupted run goes on as if it had not been.
    Raises InputError for an unknown option or a broken file.
    """
    try:
        options = Options.model_validate(config.options)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"engine scripted: options.{'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
    return ScriptedEngine(
        _script(options),
        error_every=options.error_every,
        cut_every=options.cut_every,
        fail_after=options.fail_after,
        window=options.window,
        prefill=options.prefill,
        schema=options.json_schema,
    )


def _script(options: Options) -> Script:
    if options.echo:
        return _last
    if options.replies:
        return partial(_by_rules, (Rule(replies=options.replies),))
    if options.replies_file:
        return partial(_by_rules, _read_rules(options.replies_file))
    with resources.as_file(resources.files("autoif.engines") / "scripted.jsonl") as builtin:
        return partial(_by_rules, _read_rules(builtin))


def _by_rules(rules: Sequence[Rule], request: Request) -> str:
    last = _last(request)
    rule = next((rule for rule in rules if rule.fits(last)), None)
    if rule is None:
        return ""
    draw = zlib.crc32(last.encode("utf-8", "replace"), request.sampling.seed & 0xFFFFFFFF)
    return rule.replies[draw % len(rule.replies)]


def _last(request: Request) -> str:
    return request.messages[-1]["content"]


def _read_rules(path: Path) -> tuple[Rule, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); expected JSON lines of scripted replies.") from None
    return tuple(_read_rule(line, f"{path} line {number}") for number, line in enumerate(lines, 1) if line.strip())


def _read_rule(line: str, where: str) -> Rule:
    try:
        return Rule.model_validate_json(line)
    except ValidationError as error:
        raise InputError(
            f'{where}: {error.errors()[0]["msg"]}; expected {{"when": [...], "replies": [...]}}.'
        ) from None


def _tokens(characters: int) -> int:
    return -(-characters // CHARS_PER_TOKEN)

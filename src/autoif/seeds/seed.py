"""What a hand-written seed is, and how its `$name` places are filled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from string import Template
from typing import Literal

from autoif.records import Parameter

Kind = Literal["length", "format", "case", "punctuation", "keywords", "letters", "start_end", "order", "structure"]
Case = tuple[str, bool]
"""A response, and whether it follows the instruction."""


@dataclass(frozen=True)
class FilledSeed:
    """A seed with a value in each of its places."""

    instruction: str
    verifier: str
    cases: list[Case]
    parameters: dict[str, Parameter]


@dataclass(frozen=True)
class Seed:
    """An instruction for a query, with a verifier and test cases that a person wrote.

    `instruction` and `verifier` have `$name` places, one or more for each of the `parameters`. The instruction gets
    the plain value, the verifier a Python literal: write `word == $word`, without quotes. A `$` of their own is `$$`.
    """

    name: str
    kind: Kind
    query: str
    instruction: str
    verifier: str
    """Python source that defines `evaluate(response: str) -> bool`, imports inside."""
    cases: Callable[..., list[Case]]
    """Called with the parameters as keywords: short natural answers, some that follow and some that do not."""
    boundary: Callable[..., list[Case]]
    """The same for answers that follow, or do not, by a hair."""
    parameters: Mapping[str, tuple[Parameter, ...]] = field(default_factory=dict)
    general: bool = True
    """Whether the instruction fits nearly any query, or only its own kind of query."""

    def choices(self) -> list[dict[str, Parameter]]:
        """Every combination of parameter values, in a fixed order; one empty choice without parameters."""
        return [dict(zip(self.parameters, values, strict=True)) for values in product(*self.parameters.values())]

    def example(self) -> FilledSeed:
        """The seed as it is shown to a writer: with its first parameters."""
        return self.fill(**self.choices()[0])

    def fill(self, **parameters: Parameter) -> FilledSeed:
        """The seed with `parameters` in its places; raises KeyError for a missing and TypeError for an unknown one."""
        literals = {name: repr(value) for name, value in parameters.items()}
        return FilledSeed(
            instruction=Template(self.instruction).substitute(parameters),
            verifier=Template(self.verifier).substitute(literals).strip() + "\n",
            cases=self.cases(**parameters),
            parameters=dict(parameters),
        )

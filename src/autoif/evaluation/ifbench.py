"""IFBench (Pyatkin et al., "Generalizing Verifiable Instruction Following", arXiv 2507.02833).

The checkers are those of allenai's own package `ifbench` where it is installed, else of `if-verifiable`, which carries
an earlier version of them; the result says which. The strict and the loose reading are those of allenai's
evaluation_lib.py, which neither package ships unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from importlib import import_module
from importlib.metadata import version
from typing import Any

from autoif.errors import MissingExtraError
from autoif.evaluation import nltk_data
from autoif.evaluation.scorer import Prompt, Scorer, Verdicts

PACKAGES = {"ifbench": "ifbench", "if-verifiable": "if_verifiable.ifbench"}
ALSO_NEEDS = {"ratio:stop_words": "corpora/stopwords", "words:start_verb": "taggers/averaged_perceptron_tagger_eng"}


def ifbench_scorer(prompts: Iterable[Prompt]) -> Scorer:
    """Raises MissingExtraError without either package, InputError without the NLTK data that these prompts need."""
    used = {id for prompt in prompts for id in prompt.instructions}
    nltk_data.require(["tokenizers/punkt_tab", *(ALSO_NEEDS[id] for id in sorted(ALSO_NEEDS.keys() & used))], "IFBench")
    for package, module in PACKAGES.items():
        try:
            with nltk_data.no_downloads():
                registry = import_module(f"{module}.instructions_registry").INSTRUCTION_DICT
        except ImportError:
            continue
        return Scorer(f"{package} {version(package)}", registry.keys(), partial(_check, registry))
    raise MissingExtraError("if-verifiable", "eval")


def _check(registry: dict[str, Any], prompt: Prompt, response: str) -> Verdicts:
    readings = loose_readings(response)
    verdicts = []
    for id, kwargs in zip(prompt.instructions, prompt.kwargs, strict=True):
        checker = _checker(registry[id], id, kwargs, prompt.text)
        passes = [bool(reading.strip() and checker.check_following(reading)) for reading in readings]
        verdicts.append((passes[0], any(passes)))
    return verdicts


def _checker(kind: Any, id: str, kwargs: dict[str, Any], prompt: str) -> Any:
    checker = kind(id)
    checker.build_description(**{name: value for name, value in kwargs.items() if value is not None})
    if "prompt" in (checker.get_instruction_args() or {}):
        checker.build_description(prompt=prompt)
    return checker


def loose_readings(response: str) -> list[str]:
    """The answer itself, then without its first or last line or both, then all of these without asterisks."""
    lines = response.split("\n")
    cut = ["\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])]
    readings = [response, *cut]
    return [*readings, *(reading.replace("*", "") for reading in readings)]

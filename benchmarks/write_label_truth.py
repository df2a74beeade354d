"""Makes data like label_truth's: what a writer makes of instructions whose true checker is known.

    python benchmarks/write_label_truth.py CONFIG.yaml ANSWERS OUT.jsonl [--checkers seeds|ifeval|ifbench] [--limit 40]

CONFIG names the writer and its prompts. The truth is told by the seeds' hand-written verifiers or by the checkers of
IFEval, which is what label_filters.py needs, or IFBench. ANSWERS is a run directory with completions or a file in the
format of OUT. Lines are appended as they come, and a second call goes on where the first stopped.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from if_verifiable.ifbench import instructions_registry as ifbench
from lm_eval.tasks.ifeval import instructions_registry as ifeval

from autoif.config import Config
from autoif.config_file import load_config
from autoif.engines import load_engine
from autoif.prompts import draw
from autoif.records import Candidates, Instruction, Query
from autoif.rundir import RunDirectory
from autoif.sandbox import Job, Sandbox
from autoif.seeds import SEEDS, Seed
from autoif.stages.verifiers import shots, verifiers

ANSWERS = 20
"""Of either kind, at most."""
DRAWS = {"ifeval": 2, "other": 1}
"""Instructions of each kind, with other arguments."""
LEAST = 5
"""Of either kind, at least: an instruction with fewer tells nothing."""
Follows = Callable[[Sequence[str]], list[bool]]


@dataclass(frozen=True)
class Task:
    id: str
    kind: str
    instruction: str
    checker: dict[str, Any]
    follows: Follows
    own: tuple[str, ...] = ()
    """Answers that belong to this task."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("answers", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--checkers", choices=("seeds", "ifeval", "ifbench"), default="seeds")
    parser.add_argument("--limit", type=int, default=1000, help="instructions in all")
    arguments = parser.parse_args()
    config = load_config(arguments.config)
    answers = read_answers(arguments.answers)
    done = {json.loads(line)["id"] for line in arguments.out.open()} if arguments.out.exists() else set()
    with Sandbox(workers=1) as sandbox:
        tasks = TASKS[arguments.checkers](config, sandbox, arguments.answers)
        rows = [(task, labelled(task, answers)) for task in tasks]
        rows = [(task, found) for task, found in rows if balanced(found)][: arguments.limit]
        rows = [(task, found) for task, found in rows if task.id not in done]
        print(f"{len(rows)} instructions to write for", flush=True)
        units = enumerate(instruction(task) for task, _ in rows)
        with load_engine(config.writer) as writer, open(arguments.out, "a") as out:
            for outcome in verifiers(units, config, writer, sandbox):
                for candidates in outcome.kept:
                    task, responses = rows[outcome.unit]
                    out.write(json.dumps(as_row(task, candidates, responses)) + "\n")
                    out.flush()
                    print(
                        f"{task.id}: {len(candidates.verifiers)} verifiers, {len(candidates.cases)} cases", flush=True
                    )


def read_answers(path: Path) -> list[str]:
    if path.is_dir():
        return sorted({completion.text for completion in RunDirectory(path).finished("completions")})
    return sorted({answer["text"] for line in path.open() for answer in json.loads(line)["responses"]})


def of_seeds(config: Config, sandbox: Sandbox, _: Path) -> Iterator[Task]:
    """All seeds but those shown to the writer as examples, with parameters drawn, in an order of their own."""
    wanted = config.verifiers
    shown = {shot.instruction for order in range(wanted.orders) for shot in shots(order, wanted.shots, config.seed)}
    hidden = [seed for seed in SEEDS if seed.example().instruction not in shown]
    for seed in sorted(hidden, key=lambda seed: draw(config.seed, "order", seed.name)):
        yield of_seed(seed, config, sandbox)


def of_seed(seed: Seed, config: Config, sandbox: Sandbox) -> Task:
    choices = seed.choices()
    filled = seed.fill(**choices[draw(config.seed, "parameters", seed.name) % len(choices)])

    def follows(texts: Sequence[str]) -> list[bool]:
        (result,) = sandbox.run([Job("", filled.verifier, texts)])
        return [verdict.name == "TRUE" for verdict in result.verdicts]

    checker = {"id": seed.name, "kwargs": filled.parameters}
    return Task(seed.name, "seed", filled.instruction, checker, follows, tuple(text for text, _ in filled.cases))


def of_ifeval(config: Config, *_: Any) -> Iterator[Task]:
    yield from of_checkers("ifeval", ifeval.INSTRUCTION_DICT, config)


def of_ifbench(config: Config, _: Sandbox, known: Path) -> Iterator[Task]:
    """IFBench's kinds but those of `known`, a file in the format of OUT."""
    seen = {json.loads(line)["checker"]["id"] for line in known.open()} if known.is_file() else set()
    registry = {id: checker for id, checker in ifbench.INSTRUCTION_DICT.items() if id not in seen}
    yield from of_checkers("other", registry, config)


TASKS: dict[str, Callable[[Config, Sandbox, Path], Iterator[Task]]] = {
    "seeds": of_seeds,
    "ifeval": of_ifeval,
    "ifbench": of_ifbench,
}


def of_checkers(kind: str, registry: Mapping[str, Any], config: Config) -> Iterator[Task]:
    """A benchmark's checkers with arguments drawn."""
    for id in sorted(registry, key=lambda id: draw(config.seed, "order", id)):
        texts: set[str] = set()
        random.seed(draw(config.seed, "arguments", id))
        for number in range(DRAWS[kind]):
            checker = registry[id](id)
            try:
                text = checker.build_description()
            except (TypeError, ValueError):
                break  # it needs a text to repeat
            if text not in texts:
                texts.add(text)
                kwargs = checker.get_instruction_args() or {}
                yield Task(f"{id} {number}", kind, text, {"id": id, "kwargs": kwargs}, follows_checker(checker))


def follows_checker(checker: Any) -> Follows:
    def one(text: str) -> bool:
        try:
            return bool(text.strip() and checker.check_following(text))
        except Exception:  # some of these checkers fail on odd texts
            return False

    return lambda texts: [one(text) for text in texts]


def labelled(task: Task, answers: Sequence[str]) -> list[dict[str, Any]]:
    """Answers with the truth, up to ANSWERS that follow and ANSWERS that do not."""
    texts = [*task.own, *sorted(answers, key=lambda text: draw(task.id, text))]
    marked = list(zip(texts, task.follows(texts), strict=True))
    return [
        {"text": text, "follows": wanted}
        for wanted in (True, False)
        for text in [text for text, follows in marked if follows is wanted][:ANSWERS]
    ]


def balanced(found: Sequence[dict[str, Any]]) -> bool:
    return min(sum(answer["follows"] is wanted for answer in found) for wanted in (True, False)) >= LEAST


def instruction(task: Task) -> Instruction:
    """The task's instruction, as if a model had written it."""
    return Instruction.make(text=task.instruction, origin="model", queries=(Query.make(text="", source=task.kind),))


def as_row(task: Task, candidates: Candidates, responses: list[dict[str, Any]]) -> dict[str, Any]:
    cases = [json.dumps({"response": case.response, "result": case.follows}) for case in candidates.cases]
    return {
        "id": task.id,
        "kind": task.kind,
        "instruction": task.instruction,
        "checker": task.checker,
        "verifiers": [verifier.source for verifier in candidates.verifiers],
        "test_case_replies": ["\n".join(cases)],
        "responses": responses,
    }


if __name__ == "__main__":
    main()

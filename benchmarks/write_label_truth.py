"""Makes data like label_truth's: what a writer makes of the seeds' instructions, whose hand-written verifiers are the
truth. The answers are a run's completions.

    python benchmarks/write_label_truth.py CONFIG.yaml RUN OUT.jsonl [--limit 40]

CONFIG names the writer and its prompts, RUN is a run directory with completions. Lines are appended as they come, and
a second call goes on where the first stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--limit", type=int, default=len(SEEDS), help="instructions in all")
    arguments = parser.parse_args()
    config = load_config(arguments.config)
    answers = sorted({completion.text for completion in RunDirectory(arguments.run).finished("completions")})
    done = (
        {json.loads(line)["id"] for line in arguments.out.read_text().splitlines()} if arguments.out.exists() else set()
    )
    todo = [seed for seed in seeds_not_shown(config)[: arguments.limit] if seed.name not in done]
    units = enumerate(instruction(seed, config) for seed in todo)
    with load_engine(config.writer) as writer, Sandbox(workers=1) as sandbox, open(arguments.out, "a") as out:
        for outcome in verifiers(units, config, writer):
            for candidates in outcome.kept:
                seed = todo[outcome.unit]
                row = as_row(seed, candidates, list(labelled(seed, candidates.instruction, answers, sandbox)))
                out.write(json.dumps(row) + "\n")
                out.flush()
                print(f"{seed.name}: {len(candidates.verifiers)} verifiers, {len(candidates.cases)} cases", flush=True)


def seeds_not_shown(config: Config) -> list[Seed]:
    """All seeds but those shown to the writer as examples, in an order of their own."""
    wanted = config.verifiers
    shown = {shot.instruction for order in range(wanted.orders) for shot in shots(order, wanted.shots, config.seed)}
    hidden = [seed for seed in SEEDS if seed.example().instruction not in shown]
    return sorted(hidden, key=lambda seed: draw(config.seed, "order", seed.name))


def instruction(seed: Seed, config: Config) -> Instruction:
    """The seed's instruction with parameters drawn, as if a model had written it."""
    choices = seed.choices()
    filled = seed.fill(**choices[draw(config.seed, "parameters", seed.name) % len(choices)])
    query = Query.make(text=seed.query, source="seed")
    return Instruction.make(text=filled.instruction, origin="model", queries=(query,), parameters=filled.parameters)


def labelled(seed: Seed, written: Instruction, answers: list[str], sandbox: Sandbox) -> Iterator[dict[str, Any]]:
    """Answers and the seed's own cases with the truth, up to ANSWERS that follow and ANSWERS that do not."""
    filled = seed.fill(**written.parameters)
    texts = [text for text, _ in filled.cases] + sorted(answers, key=lambda text: draw(seed.name, text))
    (result,) = sandbox.run([Job("", filled.verifier, texts)])
    verdicts = [verdict.name for verdict in result.verdicts]
    for wanted in ("TRUE", "FALSE"):
        of_kind = [text for text, verdict in zip(texts, verdicts, strict=True) if verdict == wanted]
        yield from ({"text": text, "follows": wanted == "TRUE"} for text in of_kind[:ANSWERS])


def as_row(seed: Seed, candidates: Candidates, responses: list[dict[str, Any]]) -> dict[str, Any]:
    cases = [json.dumps({"response": case.response, "result": case.follows}) for case in candidates.cases]
    return {
        "id": seed.name,
        "kind": "seed",
        "instruction": candidates.instruction.text,
        "checker": {"id": seed.name, "kwargs": candidates.instruction.parameters},
        "verifiers": [verifier.source for verifier in candidates.verifiers],
        "test_case_replies": ["\n".join(cases)],
        "responses": responses,
    }


if __name__ == "__main__":
    main()

"""What does it do to a real model? Every run of configs/experiment/arms.yaml, and a table of them all.

    python benchmarks/experiment.py [--out runs/experiment] [--only NAME ...] [--set A.B=C ...]

Each run is `autoif run` on base.yaml with what differs, so it goes on where it stopped and has a report of its own.
`--set` applies to all runs: other queries, another engine, local files. The table is Markdown, in OUT/table.md too.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from autoif.evaluation.answers import SIDES
from autoif.evaluation.contrast import by_side, contrast, grouped, mean
from autoif.evaluation.jsonl import read_objects
from autoif.loops import loops
from autoif.rundir import RunDirectory

CONFIGS = Path(__file__).parents[1] / "configs" / "experiment"
COLUMNS = {
    "held-out": ("heldout",),
    "IFEval, average": ("ifeval", "metrics", "average"),
    "prompt strict": ("ifeval", "metrics", "prompt_level_strict"),
    "instruction strict": ("ifeval", "metrics", "inst_level_strict"),
    "prompt loose": ("ifeval", "metrics", "prompt_level_loose"),
    "instruction loose": ("ifeval", "metrics", "inst_level_loose"),
    "HellaSwag, acc": ("hellaswag", "metrics", "acc"),
    "acc_norm": ("hellaswag", "metrics", "acc_norm"),
}

SEEDS_LIKE = {
    "change_case:capital_word_frequency": {"at_least_n_words_in_capitals"},
    "change_case:english_capital": {"all_uppercase"},
    "change_case:english_lowercase": {"all_lowercase"},
    "combination:two_responses": {"parts_between_marks"},
    "detectable_content:postscript": {"postscript"},
    "detectable_format:json_format": {"json_object"},
    "detectable_format:multiple_sections": {"n_headings", "n_labelled_parts"},
    "detectable_format:number_bullet_lists": {"exactly_n_bullets"},
    "detectable_format:number_highlighted_sections": {"at_least_n_bold"},
    "detectable_format:title": {"title_line"},
    "keywords:existence": {"include_word", "include_two_words", "include_phrase"},
    "keywords:forbidden_words": {"avoid_word"},
    "keywords:frequency": {"word_at_least_n_times", "word_exactly_once"},
    "keywords:letter_frequency": {"letter_at_least_n_times"},
    "length_constraints:number_paragraphs": {"at_least_n_paragraphs", "exactly_n_paragraphs", "parts_between_marks"},
    "length_constraints:number_sentences": {"at_least_n_sentences", "at_most_n_sentences", "exactly_n_sentences"},
    "length_constraints:number_words": {"at_least_n_words", "at_most_n_words", "between_low_and_high_words"},
    "punctuation:no_comma": {"no_commas"},
    "startend:end_checker": {"end_with_sentence"},
    "startend:quotation": {"wrap_in_quotes"},
}
"""IFEval's types of instruction and the seeds that ask for much the same in other words; the other five have none."""
LEAST = 5
"""Pairs of such seeds that make a type one that was trained on."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/experiment"))
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these runs alone, instead of all")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", help="as in `autoif run`, for all runs")
    arguments = parser.parse_args()
    arms = yaml.safe_load((CONFIGS / "arms.yaml").read_text(encoding="utf-8"))
    if unknown := set(arguments.only or ()) - set(arms):
        parser.error(f"--only {' '.join(sorted(unknown))}: expected names of {CONFIGS / 'arms.yaml'}")
    for name in arguments.only or arms:
        run(name, arguments.out, arms[name], arguments.set)
    tables = (rows, rows_by_type, rows_followed)
    table = "\n\n".join("\n".join(rows_of(arguments.out, arms)) for rows_of in tables)
    (arguments.out / "table.md").write_text(table + "\n", encoding="utf-8")
    print(table)


def run(name: str, out: Path, arm: dict[str, Any], settings: Iterable[str]) -> None:
    other = out / arm.get("from", "base")
    more = ["--from", str(other)] if name != "base" else []
    more += ["--allow", arm["allow"]] if "allow" in arm else []
    changes = [f"{key}={json.dumps(value)}" for key, value in arm.items() if key not in ("from", "allow", "share")]
    if "share" in arm and not (out / name / "config.json").exists():
        called("interpolate", other, "--share", arm["share"], "--to", out / name)
    autoif("run", out / name, (*settings, *changes), more)


def autoif(command: str, folder: Path, settings: Iterable[str], more: Iterable[str] = ()) -> None:
    """`autoif COMMAND` on base.yaml."""
    changes = (part for setting in settings for part in ("--set", setting))
    called(command, CONFIGS / "base.yaml", "--run", folder, *more, *changes)


def called(*arguments: object) -> None:
    """`autoif` with these arguments, which ends this program when it fails."""
    line = ["autoif", *map(str, arguments)]
    print(f"\n$ {shlex.join(line)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "autoif.cli", *line[1:]], check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


def rows(out: Path, names: Iterable[str]) -> Iterator[str]:
    """Before, after and the difference with its 95 % interval, in per cent and points. Every round has its line."""
    yield f"| run | pairs | {' | '.join(COLUMNS)} |"
    yield "|---" * (len(COLUMNS) + 2) + "|"
    for rounds, told in evaluated(out, names):
        pairs = json.loads((rounds[-1].folder("train") / "stats.json").read_text(encoding="utf-8"))["pairs"]
        cells = (cell(told, path) for path in COLUMNS.values())
        yield f"| {rounds[-1].path.relative_to(out)} | {pairs:,} | {' | '.join(cells)} |"


def rows_by_type(out: Path, names: Iterable[str]) -> Iterator[str]:
    """What pass rates do not tell: what was new to the policy, and whether its answers end and loop. A type is trained
    on for all of these runs when it is for one of them, so that they can be compared."""
    columns = ["held-out queries", "held-out instructions", *MEASURES, *OF_IFEVAL]
    columns += ["IFEval, types trained on", "never trained on"]
    yield f"| run | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    trained = {kind for rounds, _ in evaluated(out, names) for kind in trained_types(rounds)}
    for rounds, told in evaluated(out, names):
        cells = [cell(told, ("heldout", "by_split", split)) for split in ("heldout_query", "heldout_instruction")]
        samples = rounds[-1].folder("evaluate") / "samples"
        answers = [sample for _, sample in read_objects(samples / "heldout.jsonl")]
        cells += [of_answers(answers, measure) for measure in MEASURES.values()]
        if (samples / "ifeval.jsonl").exists():
            checked = [sample for _, sample in read_objects(samples / "ifeval.jsonl")]
            cells += [of_answers(checked, measure) for measure in OF_IFEVAL.values()]
            cells += [of_types(checked, trained, wanted) for wanted in (True, False)] if trained else []
        yield f"| {rounds[-1].path.relative_to(out)} | {' | '.join(cells)} |"


def rows_followed(out: Path, names: Iterable[str]) -> Iterator[str]:
    """How many instructions of each of IFEval's types are followed, strictly read: before, and after each run."""
    columns: dict[str, Counter[str]] = {}
    for rounds, _ in evaluated(out, names):
        file = rounds[-1].folder("evaluate") / "samples/ifeval.jsonl"
        if file.exists():
            samples = [sample for _, sample in read_objects(file)]
            columns.setdefault("asked", Counter(kind for sample in samples for kind in sample["instructions"]))
            columns.setdefault("before", followed(samples, "reference"))
            columns[str(rounds[-1].path.relative_to(out))] = followed(samples, "policy")
    yield f"| type of instruction | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for kind in sorted(columns.get("asked", ())):
        yield f"| {kind} | {' | '.join(str(column[kind]) for column in columns.values())} |"


def followed(samples: Iterable[dict[str, Any]], side: str) -> Counter[str]:
    verdicts = (zip(sample["instructions"], sample[side]["strict"], strict=True) for sample in samples)
    return Counter(kind for of_sample in verdicts for kind, follows in of_sample if follows)


def of_answers(samples: Iterable[dict[str, Any]], measure: Callable[[dict[str, Any]], float]) -> str:
    """The mean over prompts of what is measured on each of their answers."""
    by_prompt = grouped(samples, lambda sample: str(sample["id"])).values()
    means = by_side(lambda side: [mean([measure(sample[side]) for sample in own]) for own in by_prompt])
    return cell({"these": contrast(means, 0)}, ("these",))


def is_sound(answer: dict[str, Any]) -> bool:
    """Passing, not cut and without a loop, neither of which a verifier may mind."""
    return answer["pass_rate"] >= 0.5 and not answer["truncated"] and not loops(answer["text"])


MEASURES: dict[str, Callable[[dict[str, Any]], float]] = {
    "finished, not looping and passing": is_sound,
    "cut": lambda answer: answer["truncated"],
    "looping": lambda answer: loops(answer["text"]),
    "words": lambda answer: len(answer["text"].split()) / 100,  # a cell shows a hundred times that
}


OF_IFEVAL: dict[str, Callable[[dict[str, Any]], float]] = {
    "IFEval, prompt strict and no loop": lambda answer: all(answer["strict"]) and not loops(answer["text"]),
    "IFEval, looping": MEASURES["looping"],
    "IFEval, words": MEASURES["words"],
}


def trained_types(rounds: Sequence[RunDirectory]) -> set[str]:
    """IFEval's types that LEAST pairs or more of these rounds are like. Without seeds: none."""
    seeds = {one.id: one.instruction.seed for one in rounds[0].stage("crosscheck")}
    pairs = Counter(seeds[pair.parent] for run in rounds for pair in run.stage("pairs"))
    return {kind for kind, like in SEEDS_LIKE.items() if sum(pairs[seed] for seed in like) >= LEAST}


def of_types(answers: Iterable[dict[str, Any]], trained: set[str], wanted: bool) -> str:
    passed: dict[str, list[float]] = by_side(lambda _: [])
    counts: list[int] = []
    for answer in answers:
        places = [n for n, kind in enumerate(answer["instructions"]) if (kind in trained) == wanted]
        if places:
            counts.append(len(places))
            for side in SIDES:
                passed[side].append(sum(answer[side]["strict"][place] for place in places))
    return cell({"these": contrast(passed, 0, counts)}, ("these",)) + f", n = {sum(counts)}" if counts else ""


def evaluated(out: Path, names: Iterable[str]) -> Iterator[tuple[list[RunDirectory], dict[str, Any]]]:
    """Each round that has been evaluated, after the rounds before it, and its scores."""
    for name in names:
        rounds = RunDirectory(out / name).rounds()
        for number, last in enumerate(rounds, 1):
            scores = last.folder("evaluate") / "scores.json"
            if scores.exists():
                yield rounds[:number], json.loads(scores.read_text(encoding="utf-8"))


def cell(scores: dict[str, Any], path: tuple[str, ...]) -> str:
    found: Any = scores
    for key in path:
        found = found.get(key)
        if found is None:
            return ""
    change = found["difference"]
    before, after, mean, low, high = (
        100 * x for x in (found["reference"], found["policy"], change["mean"], change["low"], change["high"])
    )
    return f"{before:.1f} → {after:.1f} ({mean:+.1f}, {low:+.1f} to {high:+.1f})"


if __name__ == "__main__":
    main()

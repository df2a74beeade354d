"""What the terminal shows of a run: the funnel, one record's lineage, and the last words of `autoif run`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from autoif.engines.models import EMBEDDED
from autoif.lineage import Found
from autoif.records import PreferencePair
from autoif.rundir import RunDirectory

LONGEST = 600
"""Characters of a text shown in one place."""

STRONGER = "The embedded 135M model is a weak writer. A stronger one on the same CPU: autoif run configs/laptop.yaml"


def status(run: RunDirectory) -> Group:
    """The funnel: what went into every stage, what was kept, why the rest was dropped, tokens and time."""
    run.saved()
    table = Table(title=str(run.path), title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in ("stage", "in", "kept", "dropped", "read", "written", "time", ""):
        table.add_column(name, justify="left" if name in ("stage", "dropped", "") else "right", overflow="fold")
    totals = [0, 0, 0.0]
    for stage in run.stages():
        stats = stage.stats()
        numbers = (stats["prompt_tokens"], stats["completion_tokens"], stats["seconds"])
        totals = [total + number for total, number in zip(totals, numbers, strict=True)]
        dropped = "\n".join(f"{count:,} {reason}" for reason, count in stats["dropped"].items())
        state = "done" if stage.done else "under way"
        table.add_row(stats["stage"], f"{stats['in']:,}", f"{stats['kept']:,}", dropped, *_spent(*numbers), state)
    for name in ("train", "evaluate"):
        path = run.folder(name) / "stats.json"
        if path.exists():
            seconds = json.loads(path.read_text())["seconds"]
            totals[2] += seconds
            table.add_row(path.parent.name, "", "", "", *_spent(0, 0, seconds), "done")
    table.add_section()
    table.add_row("all", "", "", "", *_spent(*totals), "")
    later = [f"Round {number}: autoif status {again.path}" for number, again in enumerate(run.rounds(), 1)][1:]
    return Group(table, Text("read, written: tokens of the models", style="dim"), *map(Text, later))


def _spent(read: float, written: float, seconds: float) -> tuple[str, ...]:
    tokens = (f"{number:,}" if number else "" for number in (read, written))
    return (*tokens, str(timedelta(seconds=round(seconds))).removeprefix("0:"))


def lineage(ancestors: list[Found], found: Found) -> Group:
    """Every record from the query down to what came of the one asked for."""
    panels = [_panel(step) for step in ancestors]
    tree = Tree(Text(f"what came of it: {_count(found)} records and drops"))
    for child in found.children:
        _branch(tree, child)
    return Group(*panels, _panel(found, wanted=True), *([tree] if found.children else []))


def _panel(found: Found, wanted: bool = False) -> Panel:
    body = Group(*_fields(found.content))
    title = escape(f"{found.stage}  {found.content.get('id', '')}")
    return Panel(body, title=title, title_align="left", border_style="bold" if wanted else "dim")


def _fields(content: Mapping[str, Any]) -> Iterator[Any]:
    for key, value in content.items():
        if key in ("id", "parent") or value in (None, {}, []):
            continue
        if key == "verifiers":
            yield from (Syntax(_source(v), "python", background_color="default") for v in value)
        elif key in ("instruction", "completion") and isinstance(value, dict):
            yield Text(f"{key}: {_cut(value.get('text', ''))}")
        elif key == "cases":
            yield from (Text(f"{'follows' if c['follows'] else 'does not'}: {_cut(c['response'])}") for c in value)
        elif key == "queries":
            yield from (Text(f"query: {_cut(query['text'])}") for query in value)
        else:
            yield Text(f"{key}: {_cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))}")


def _source(verifier: Any) -> str:
    return str(verifier["source"] if isinstance(verifier, dict) else verifier).rstrip()


def _branch(tree: Tree, found: Found) -> None:
    label = Text(f"{found.stage} ", style="bold")
    if found.reason:
        label.append(f"dropped: {found.reason} ", style="red")
    label.append(found.content.get("id", "") + "  " + _summary(found.content))
    branch = tree.add(label)
    for child in found.children:
        _branch(branch, child)


def _summary(content: Mapping[str, Any]) -> str:
    if "pass_rate" in content:
        return f"pass rate {content['pass_rate']:.2f} {' '.join(content['verdicts'])}"
    if "chosen_id" in content:
        return f"chosen {content['chosen_id']} over {content['rejected_id']}"
    text = content.get("text") or content.get("explanation") or ""
    return _cut(text, 100)


def _cut(text: str, longest: int = LONGEST) -> str:
    text = " ".join(text.split()) if longest < LONGEST else text
    return text if len(text) <= longest else f"{text[:longest]} … ({len(text):,} characters)"


def _count(found: Found) -> int:
    return sum(1 + _count(child) for child in found.children)


def closing(run: RunDirectory, console: Console) -> None:
    """What `autoif run` ends with: the funnel, where instructions came from, three pairs, before and after."""
    console.print(status(run))
    console.print(origins(run), highlight=False, soft_wrap=True)
    if run.stage("pairs").done:
        for pair in islice(_spread(run), 3):
            console.print(_pair(pair))
    rounds = run.rounds()
    for number, again in enumerate(rounds, 1):
        if len(rounds) > 1:
            console.print(f"Round {number}", style="bold", highlight=False)
        _outcome(again, console)
    if run.saved()["config"]["writer"]["model"] == EMBEDDED:
        console.print(STRONGER, highlight=False, soft_wrap=True)


def _outcome(run: RunDirectory, console: Console) -> None:
    """Before and after, and where the report is."""
    scores = run.folder("evaluate") / "scores.json"
    if scores.exists():
        heldout = json.loads(scores.read_text()).get("heldout")
        console.print(before_after(heldout) if heldout else "Nothing was held out.", highlight=False, soft_wrap=True)
    if run.report_path.exists():
        console.print(f"Report: {run.report_path}", highlight=False, soft_wrap=True)


def origins(run: RunDirectory) -> str:
    """How many model-written instructions survived, said plainly."""
    written = sum(record.origin == "model" for record in run.stage("instructions"))
    survived = [record.instruction.origin for record in run.stage("crosscheck")]
    seeds = survived.count("seed")
    return (
        f"{len(survived) - seeds} of {written} model-written instructions survived the cross-check; "
        f"{seeds} verified instructions come from the hand-written seeds."
    )


def _spread(run: RunDirectory) -> Iterator[PreferencePair]:
    """Pairs of different instructions."""
    seen = set()
    for pair in run.stage("pairs"):
        if pair.parent not in seen:
            seen.add(pair.parent)
            yield pair


def _pair(pair: PreferencePair) -> Panel:
    parts = (
        Text(_cut(pair.prompt[0]["content"])),
        Text(f"chosen ({pair.chosen_score:.2f}): ", style="green").append(_cut(pair.chosen[0]["content"], 300)),
        Text(f"rejected ({pair.rejected_score:.2f}): ", style="red").append(_cut(pair.rejected[0]["content"], 300)),
    )
    return Panel(Group(*parts), title=f"pair {pair.id}", title_align="left", border_style="dim")


def before_after(heldout: Mapping[str, Any]) -> str:
    """The held-out pass rates and the interval of their difference, in points of per cent."""
    difference = heldout["difference"]
    return (
        f"Held-out verified instructions ({heldout['n']}): {heldout['reference']:.1%} pass before training, "
        f"{heldout['policy']:.1%} after: {difference['mean'] * 100:+.1f} points, "
        f"95 % bootstrap interval {difference['low'] * 100:+.1f} to {difference['high'] * 100:+.1f}."
    )

"""Fills the templates: one HTML file that needs no network and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from autoif.records import clean
from autoif.report import words
from autoif.report.browser import choices, choose_entries, confidence_choices, outcome_choices
from autoif.report.entries import UNKNOWN, VERDICTS, Entry
from autoif.report.figures import Histogram, bins, histogram
from autoif.report.folder import STAGES, Count, RunFolder, number_or, objects_of, read_json, section
from autoif.report.pictures import details, moved, pictures, shades, token_box
from autoif.report.results import Row, Table, evaluation, lengths, samples, training
from autoif.report.tally import Tally, tally
from autoif.report.text import page_json, shown
from autoif.store import write_atomically
from autoif.tokens.shades import signed

BYTES = 7_500_000
"""Of the browser's entries; the rest of the page is far smaller."""
SAMPLE = 2_000
"""Instructions kept in memory to choose from."""
SAMPLES = 8
"""Before/after samples of each group."""


def write_report(run: Path) -> Path:
    """Writes RUN/report.html and returns its path. Stages that are missing or under way are shown as such.

    The file opens from disk and stays under 10 MB: of a large run, a sample of the instructions is shown, the same on
    every call. Raises InputError when `run` is no run directory or holds a damaged record.
    """
    folder = RunFolder(run)
    write_atomically(folder.report_path, clean(render(folder)))
    return folder.report_path


def render(run: RunFolder) -> str:
    counts = [run.count(name) for name in STAGES]
    found = tally(run, SAMPLE)
    entries = choose_entries(run, found, BYTES)
    style = asset("report.css") + asset("tokens.css") + shades()
    script = asset("report.js") + asset("tokens.js")
    drawn = pictures(run)
    tables = evaluation(run)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            csp=_policy(style, script),
            style=Markup(style),
            script=Markup(script),
            **_about(run),
            counts=counts,
            stages=STAGES,
            spent=_spent(counts),
            headline=_headline(tables),
            distributions=_distributions(found),
            completions=found.tokens.total(),
            outcomes=outcome_choices(entries, counts),
            filters={key: choices(entries, key) for key in ("origin", "kind", "split")},
            sure=confidence_choices(entries),
            shown=sum(entry["outcome"].startswith("kept/") for entry in entries),
            instructions=found.origins.total(),
            origins=found.origins,
            data=Markup(page_json(_data(entries) | {"pictures": details(drawn)})),
            contamination=objects_of(read_json(run.folder("pairs") / "contamination.json"), "benchmarks"),
            training=training(run),
            share=number_or(read_json(run.folder("train") / "stats.json").get("share"), 1.0),
            evaluation=tables,
            lengths=lengths(run),
            samples=samples(run, SAMPLES),
            moved=moved(run),
            pictures=drawn,
        )
    )


def _headline(tables: list[Table]) -> Row | None:
    """The held-out instructions, or else the first benchmark."""
    rows = tables[0].rows if tables else ()
    return next((row for row in rows if row.name == "heldout"), rows[0] if rows else None)


def environment(*packages: str) -> Environment:
    """Templates of these packages and of the report, escaping what they are filled with."""
    jinja = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in (*packages, "autoif.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters |= {
        act.__name__: act
        for act in (words.name, words.moment, words.thousands, words.rough, words.duration)
        + (words.percent, words.rate, words.points, words.figure)
    }
    jinja.filters |= {"cut": shown, "signed": signed, "token_box": token_box}
    jinja.globals |= {"meanings": words.MEANINGS, "place": place}
    return jinja


def place(stage: str, reason: str = "") -> str:
    """Where on the page a stage's records are, or what it dropped for a reason; empty when there is no such place."""
    return f"#browse?outcome={quote(f'{stage}/{reason}', safe='/')}" if reason else ""


def asset(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """A Content-Security-Policy under which only this style and this script work, named by their hashes."""
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _data(entries: list[Entry]) -> dict[str, Any]:
    """What the script reads. Names and meanings come along, so that they are written in one place."""
    used = {entry[key] for entry in entries for key in ("outcome", "kind", "split", "origin") if entry.get(key)}
    return {
        "entries": entries,
        "verdicts": {v.letter: [v.sign, v.meaning] for v in (*VERDICTS.values(), UNKNOWN)},
        "names": {key: words.name(key) for key in sorted(used)},
        "meanings": {key: words.MEANINGS[key] for key in sorted(used & words.MEANINGS.keys())},
    }


def _about(run: RunFolder) -> dict[str, Any]:
    instructions = section(run.config, "instructions")
    return {
        "name": run.path.resolve().name,
        "created": str(run.about.get("created") or ""),
        "commit": str(run.about.get("git_commit") or ""),
        "versions": section(run.about, "versions"),
        "config": yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True),
        "writer": str(section(run.config, "writer").get("model") or ""),
        "policy": str(section(run.config, "policy").get("model") or ""),
        "seeds_alone": instructions.get("per_query") == 0 and instructions.get("mode") != "paper",
        "source": str(section(run.config, "queries").get("source") or ""),
    }


def _spent(counts: Iterable[Count]) -> dict[str, float]:
    counts = list(counts)
    tokens = [count.prompt_tokens + count.completion_tokens for count in counts]
    seconds = [count.seconds for count in counts]
    return {
        "tokens": sum(tokens),
        "most_tokens": max(tokens),
        "seconds": sum(seconds),
        "most_seconds": max(seconds),
    }


def _distributions(found: Tally) -> list[Histogram]:
    def rates(counts: Any) -> list[tuple[str, int]]:
        return [(f"{10 * tenth}%", counts[tenth]) for tenth in range(11)] if counts else []

    drawn = (
        histogram(
            "Pass rate of a completion",
            "Share of an instruction's verifiers that say yes to it. 0% can be rejected, high rates can be chosen.",
            rates(found.pass_rates),
        ),
        histogram(
            "Pass rate of an instruction",
            "Mean over its completions. Pairs come from the middle, where some pass and some fail.",
            rates(found.mean_pass_rates()),
        ),
        histogram(
            "Agreement of the verifiers",
            "Share that says what most say of a completion, where there are two or more. At 100% they agree.",
            rates(found.agreements),
        ),
        histogram("Length of a completion", "In tokens.", bins(found.tokens)),
    )
    return [figure for figure in drawn if figure]

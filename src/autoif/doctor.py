"""What this machine offers, for `autoif doctor`."""

from __future__ import annotations

import os

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from autoif.engines.inventory import accelerators, available, embedded_model
from autoif.errors import SandboxError
from autoif.rundir import versions
from autoif.sandbox import capabilities

YES, NO = "[green]yes[/]", "[red]no[/]"


def examine() -> Group:
    """Tables of engines and of sandbox mechanisms, and the versions that a run would record."""
    facts = ", ".join(f"{name} {number}" for name, number in versions().items())
    machine = f"{len(os.sched_getaffinity(0))} cores; accelerators: {', '.join(accelerators()) or 'none'}"
    return Group(Text(machine), _engines(), _sandbox(), Text(facts, style="dim"))


def _engines() -> Table:
    table = _table("engines", "engine", "usable", "")
    for engine in available():
        table.add_row(engine.engine, YES if engine.usable else NO, escape(engine.note))
    trouble = embedded_model()
    table.add_row("embedded model", NO if trouble else YES, trouble or "SmolLM2-135M-Instruct, for openvino")
    return table


def _sandbox() -> Table:
    table = _table("sandbox", "mechanism", "here", "")
    try:
        found = capabilities()
    except SandboxError as error:
        table.add_row("sandbox", NO, str(error))
        return table
    table.add_row("seccomp", YES if found.seccomp else NO, "system calls on a list alone")
    table.add_row("Landlock", YES if found.landlock else NO, f"version {found.landlock} of its interface")
    table.add_row("namespaces", YES if found.namespaces else NO, ", ".join(found.namespaces))
    table.add_section()
    for attack, contained in found.contained().items():
        table.add_row("contained", YES if contained else NO, attack)
    table.add_section()
    hostile = found.contains_hostile_code
    advice = "model-written code runs" if hostile else "refused: see docs/security.md for --sandbox weak"
    table.add_row("strict mode", YES if hostile else NO, advice)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column)
    return table

"""The commands that look at a run, or at anything else, and change no stage of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from autoif.rundir import RunDirectory


def terminal() -> Console:
    """A terminal's own width; a fixed one for logs and CI, where nobody says."""
    from rich.console import Console

    found = Console()
    return found if found.is_terminal or "COLUMNS" in os.environ else Console(width=120)


def run_of(path: Path) -> RunDirectory:
    from autoif.rundir import RunDirectory

    return RunDirectory(path)


@click.command()
@click.argument("run_directory", metavar="RUN", type=click.Path(path_type=Path))
def status(run_directory: Path) -> None:
    """Show the funnel of a run and what each stage cost."""
    from autoif import views

    terminal().print(views.status(run_of(run_directory)))


@click.command()
@click.argument("run_directory", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("id")
def show(run_directory: Path, id: str) -> None:
    """Show one record with its lineage, from query to pair. ID may be the first characters of an id."""
    from autoif import views
    from autoif.lineage import lineage

    terminal().print(views.lineage(*lineage(run_of(run_directory), id)))


@click.command()
@click.argument("run_directory", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The port to listen on; any free one if not given."
)
def view(run_directory: Path, port: int) -> None:
    """Browse a run of any size in a web page.

    On this machine alone, until Ctrl-C; also while the run is going on.
    """
    from autoif.viewer import serve

    serve(run_directory, port, click.echo)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--sandbox",
    type=click.Choice(["strict", "weak"]),
    default="strict",
    help="weak: also where nothing can contain code.",
)
def verify(file: Path, sandbox: str) -> None:
    """Run verifiers on responses in the sandbox.

    FILE has lines of {"id", "verifiers": [source, …], "responses": [text, …]}; on stdout, for each line,
    {"id", "verdicts": [[name for each response] for each verifier], "pass_rates": [one for each response]}.
    """
    from autoif.verify import verify_file

    for line in verify_file(file, sandbox):
        click.echo(line)


@click.command()
@click.argument("run_directory", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "name",
    required=True,
    type=click.Choice(["trl", "llama-factory", "axolotl", "openrlhf", "sft", "rewards", "verl", "open-instruct"]),
    help="The trainer that will read it; rewards: TRL's GRPO.",
)
@click.option("--to", help="The file, or a folder at s3:// or gs://; RUN/export/FORMAT.jsonl if not given.")
def export(run_directory: Path, name: str, to: str | None) -> None:
    """Write what a run made for another trainer, as JSON lines.

    trl, llama-factory, axolotl, openrlhf: preference pairs. sft: chosen answers. rewards, verl, open-instruct: prompts
    with the verifiers of their instruction, for training on verifiable rewards. Held-out instructions are left out.
    """
    from autoif.export import export as write

    path, rows = write(run_of(run_directory), name, to)
    click.echo(f"{path}: {rows} rows")


@click.command()
@click.argument("run_directory", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--to", "repo", required=True, metavar="ORG/NAME", help="The data set; the policy goes to ORG/NAME-policy."
)
@click.option("--dry-run", is_flag=True, help="Show exactly what would be sent, and send nothing.")
@click.option("--public", is_flag=True, help="Make new repositories public; they are private otherwise.")
def push(run_directory: Path, repo: str, dry_run: bool, public: bool) -> None:
    """Send a run to the Hugging Face hub.

    Pairs, verified instructions and the policy, with their cards, under your `hf auth login`.
    """
    from autoif.push import push as send

    send(run_of(run_directory), repo, public, dry_run, terminal())


@click.command()
@click.argument("run_directory", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--share", type=click.FloatRange(0, 1), required=True, help="1: the trained policy; 0: the untrained one."
)
@click.option("--to", "out", required=True, metavar="DIR", type=click.Path(path_type=Path), help="The new run.")
def interpolate(run_directory: Path, share: float, out: Path) -> None:
    """Make a run whose policy keeps a share of what training changed.

    It is nearer to the untrained one, and may forget less. `autoif evaluate CONFIG --run DIR` says what a share is
    worth. Of a run with several rounds name the one meant, such as RUN/round_2.
    """
    from autoif.interpolate import interpolate as write

    write(run_of(run_directory), share, run_of(out))
    click.echo(f"{out}: {share:.0%} of the way from the untrained policy to that of {run_directory}")


@click.command()
@click.option("--policy", required=True, help="The tuned model: a folder, a GGUF file or a Hugging Face id.")
@click.option("--reference", required=True, help="The model it is compared with.")
@click.option("--prompt", required=True, help="The user message.")
@click.option("--completion", required=True, help="The answer whose tokens are compared.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a page to this file instead.")
def compare(policy: str, reference: str, prompt: str, completion: str, html: Path | None) -> None:
    """Colour an answer's tokens by policy minus reference.

    Log-probabilities: green where the policy puts more, red where less. Each difference is clipped at 1 nat; the
    prompt is uncoloured.
    """
    from autoif.evaluation.compare import compare as read
    from autoif.evaluation.compare_view import render_html, render_terminal

    comparison = read(policy, reference, prompt, completion)
    if html is None:
        terminal().print(render_terminal(comparison))
    else:
        html.write_text(render_html(comparison), encoding="utf-8")
        click.echo(html)


@click.command()
def doctor() -> None:
    """Show the engines and the sandbox of this machine."""
    from autoif.doctor import examine

    terminal().print(examine())


TOOLS = (status, show, view, verify, export, push, interpolate, compare, doctor)

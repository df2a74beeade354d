"""The command line: one subcommand per stage, no logic. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from autoif.errors import AutoIFError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from autoif.config import Config
    from autoif.rundir import RunDirectory

F = TypeVar("F", bound=Callable[..., Any])

STAGES = {
    "queries": "Stage 1: read user queries from the source and filter them.",
    "instructions": "Stage 2: write an instruction for each query, or rewrite the seeds.",
    "verifiers": "Stage 3: write verification functions and test cases for each instruction.",
    "crosscheck": "Stage 4: execute them and keep the instructions whose verifiers can be believed.",
    "completions": "Stage 5: sample answers of the policy.",
    "scores": "Stage 6: run the verifiers on the answers.",
    "pairs": "Stage 7: build preference pairs.",
    "train": "Stage 8: train the policy with DPO.",
}


class Commands(click.Group):
    """Lists commands in the order of the pipeline instead of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="autoif")
def cli() -> None:
    """Make instruction-following training data with no human labels, train on it, and see what changed.

    Start with `autoif run CONFIG.yaml`; running it again continues where it stopped.
    """


def main() -> None:
    """The entry point: exit status 0 done, 1 the run failed, 2 the input is wrong, 130 stopped by the user."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        _fail("stopped; run the same command again to continue.", 130)
    except KeyboardInterrupt:
        _fail("stopped; run the same command again to continue.", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except AutoIFError as error:
        _fail(str(error), error.exit_status)


def _fail(message: str, status: int) -> None:
    click.echo(f"autoif: {message}", err=True)
    sys.exit(status)


def configured(command: F) -> F:
    """The arguments of every command that works on a config."""
    options = (
        click.argument("config", type=click.Path(path_type=Path)),
        click.option("--set", "overrides", multiple=True, metavar="A.B=C", help="Override one key of the config."),
        click.option("--run", "run_directory", metavar="DIR", help="Write to this run directory."),
        click.option("--allow", "allowed", multiple=True, metavar="A.B", help="Go on although this key has changed."),
        click.option(
            "--sandbox", type=click.Choice(["strict", "weak"]), help="weak: also where nothing can contain code."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _config(path: Path, overrides: tuple[str, ...], run_directory: str | None, sandbox: str | None) -> Config:
    from autoif.config_file import load_config

    more = [f"run={run_directory}"] if run_directory else []
    more += [f"sandbox.mode={sandbox}"] if sandbox else []
    return load_config(path, (*overrides, *more))


def _console() -> Console:
    """A terminal's own width; a fixed one for logs and CI, where nobody says."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=120)


def _run_directory(path: Path) -> RunDirectory:
    from autoif.rundir import RunDirectory

    return RunDirectory(path)


@cli.command()
@configured
def run(
    config: Path,
    overrides: tuple[str, ...],
    run_directory: str | None,
    allowed: tuple[str, ...],
    sandbox: str | None,
) -> None:
    """Run stages 1 to 10, or what is left of them.

    CONFIG is a YAML file; see configs/ for examples; src/autoif/config.py explains every key.
    """
    from autoif.pipeline import run_all
    from autoif.runner import opened
    from autoif.stopping import stoppable
    from autoif.views import closing

    resolved, console = _config(config, overrides, run_directory, sandbox), _console()
    with opened(resolved, console, allowed) as opened_run, stoppable(opened_run.tell):
        run_all(opened_run)
        closing(opened_run.directory, console)


def _stage_command(name: str, help: str) -> None:
    @cli.command(name, help=help + " CONFIG is the YAML file of the run.")
    @configured
    def command(
        config: Path,
        overrides: tuple[str, ...],
        run_directory: str | None,
        allowed: tuple[str, ...],
        sandbox: str | None,
    ) -> None:
        _run_stage(name, _config(config, overrides, run_directory, sandbox), allowed)


def _run_stage(name: str, config: Config, allowed: tuple[str, ...]) -> None:
    from autoif.pipeline import STAGES as functions
    from autoif.runner import opened
    from autoif.stopping import stoppable

    with opened(config, _console(), allowed) as opened_run, stoppable(opened_run.tell):
        functions[name](opened_run)


for _name, _help in STAGES.items():
    _stage_command(_name, _help)


@cli.command()
@click.argument("config", type=click.Path(path_type=Path), required=False)
@click.option("--set", "overrides", multiple=True, metavar="A.B=C", help="Override one key of the config.")
@click.option("--run", "run_directory", metavar="DIR", help="Write to this run directory.")
@click.option("--allow", "allowed", multiple=True, metavar="A.B", help="Go on although this key has changed.")
@click.option("--sandbox", type=click.Choice(["strict", "weak"]), help="weak: also where nothing can contain code.")
@click.option("--task", type=click.Choice(["ifeval", "ifbench"]), help="Score ready-made responses to this benchmark.")
@click.option("--data", type=click.Path(path_type=Path), help="With --task: the benchmark's prompts, JSON lines.")
@click.option("--responses", type=click.Path(path_type=Path), help='With --task: lines of {"prompt", "response"}.')
def evaluate(
    config: Path | None,
    overrides: tuple[str, ...],
    run_directory: str | None,
    allowed: tuple[str, ...],
    sandbox: str | None,
    task: str | None,
    data: Path | None,
    responses: Path | None,
) -> None:
    """Stage 9: score policy and reference on the held-out instructions of a run.

    Give a CONFIG, or --task with --data and --responses to score ready-made responses: JSON on stdout.
    """
    if task:
        _score_responses(task, data, responses)
    elif config:
        _run_stage("evaluate", _config(config, overrides, run_directory, sandbox), allowed)
    else:
        raise InputError("evaluate: give a CONFIG, or --task with --data and --responses.")


def _score_responses(task: str, data: Path | None, responses: Path | None) -> None:
    import json

    from autoif.evaluation.tasks import score_responses

    if data is None or responses is None:
        raise InputError(f"evaluate --task {task}: give --data PROMPTS.jsonl and --responses FILE.jsonl too.")
    click.echo(json.dumps(score_responses(task, data, responses), indent=1))  # type: ignore[arg-type]


@cli.command()
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="A.B=C", help="Override one key of the config.")
@click.option("--run", "run_directory", metavar="DIR", help="The run directory, when TARGET is a config.")
def report(target: Path, overrides: tuple[str, ...], run_directory: str | None) -> None:
    """Stage 10: make RUN/report.html. TARGET is a run directory or the config of one."""
    from autoif.report import write_report

    directory = target if target.is_dir() else Path(_config(target, overrides, run_directory, None).run or "")
    _run_directory(directory).saved()
    click.echo(write_report(directory))


@cli.command()
@click.argument("run_directory", metavar="RUN", type=click.Path(path_type=Path))
def status(run_directory: Path) -> None:
    """Show the funnel of a run: in, kept, dropped by reason, tokens and seconds."""
    from autoif import views

    _console().print(views.status(_run_directory(run_directory)))


@cli.command()
@click.argument("run_directory", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("id")
def show(run_directory: Path, id: str) -> None:
    """Show one record with its whole lineage, from query to pair. ID may be the first characters of an id."""
    from autoif import views
    from autoif.lineage import lineage

    _console().print(views.lineage(*lineage(_run_directory(run_directory), id)))


@cli.command()
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


@cli.command()
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

    path, rows = write(_run_directory(run_directory), name, to)
    click.echo(f"{path}: {rows} rows")


@cli.command()
@click.option("--policy", required=True, help="The tuned model: a folder, a GGUF file or a Hugging Face id.")
@click.option("--reference", required=True, help="The model it is compared with.")
@click.option("--prompt", required=True, help="The user message.")
@click.option("--completion", required=True, help="The answer whose tokens are compared.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a page to this file instead.")
def compare(policy: str, reference: str, prompt: str, completion: str, html: Path | None) -> None:
    """Show per-token log-probability differences: green where the policy puts more, red where less.

    Each difference is clipped at 1 nat; the prompt is uncoloured.
    """
    from autoif.evaluation.compare import compare as read
    from autoif.evaluation.compare_view import render_html, render_terminal

    comparison = read(policy, reference, prompt, completion)
    if html is None:
        _console().print(render_terminal(comparison))
    else:
        html.write_text(render_html(comparison), encoding="utf-8")
        click.echo(html)


@cli.command()
def doctor() -> None:
    """Show what this machine offers: engines, accelerators, sandbox mechanisms."""
    from autoif.doctor import examine

    _console().print(examine())


if __name__ == "__main__":
    main()

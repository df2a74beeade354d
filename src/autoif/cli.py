"""The command line: one subcommand per stage, no logic. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from autoif.cli_tools import TOOLS, run_of, terminal
from autoif.errors import AutoIFError, InputError

if TYPE_CHECKING:
    from autoif.config import Config

F = TypeVar("F", bound=Callable[..., Any])

STAGES = {
    "queries": "Stage 1: read user queries from the source and filter them.",
    "instructions": "Stage 2: write an instruction for each query.",
    "verifiers": "Stage 3: write verifiers and test cases for each.",
    "crosscheck": "Stage 4: execute them; keep what can be believed.",
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


OPTIONS = (
    click.option("--set", "overrides", multiple=True, metavar="A.B=C", help="Override one key of the config."),
    click.option("--run", "run_directory", metavar="DIR", help="Write to this run directory."),
    click.option("--allow", "allowed", multiple=True, metavar="A.B", help="Go on although this key has changed."),
    click.option("--sandbox", type=click.Choice(["strict", "weak"]), help="weak: also where nothing can contain code."),
)
"""Of every command that works on a config."""


def with_options(command: F) -> F:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def configured(command: Callable[..., None]) -> Callable[..., None]:
    """Hands a command the config that it was given, the keys that may have changed, and options of its own."""

    @click.argument("config", type=click.Path(path_type=Path))
    @with_options
    @wraps(command)
    def loaded(
        config: Path,
        overrides: tuple[str, ...],
        run_directory: str | None,
        allowed: tuple[str, ...],
        sandbox: str | None,
        **more: Any,
    ) -> None:
        command(_config(config, overrides, run_directory, sandbox), allowed, **more)

    return loaded


def _config(path: Path, overrides: tuple[str, ...], run_directory: str | None, sandbox: str | None) -> Config:
    from autoif.config_file import load_config

    more = [f"run={run_directory}"] if run_directory else []
    more += [f"sandbox.mode={sandbox}"] if sandbox else []
    return load_config(path, (*overrides, *more))


@cli.command()
@configured
@click.option("--from", "other", type=click.Path(path_type=Path), help="Begin with the stages of this run that agree.")
def run(config: Config, allowed: tuple[str, ...], other: Path | None) -> None:
    """Run stages 1 to 10, or what is left of them.

    CONFIG is a YAML file; see configs/ for examples; src/autoif/config.py explains every key.
    """
    from autoif.pipeline import begin_with, run_all
    from autoif.runner import opened
    from autoif.stopping import stoppable
    from autoif.views import closing

    with opened(config, terminal(), allowed) as opened_run, stoppable(opened_run.tell):
        if other:
            begin_with(opened_run, run_of(other))
        run_all(opened_run)
        closing(opened_run.directory, opened_run.console)


def _stage_command(name: str, help: str) -> None:
    @cli.command(name, help=help + " CONFIG is the YAML file of the run.")
    @configured
    def command(config: Config, allowed: tuple[str, ...]) -> None:
        _run_stage(name, config, allowed)


def _run_stage(name: str, config: Config, allowed: tuple[str, ...]) -> None:
    from autoif.pipeline import STAGES as functions
    from autoif.runner import opened
    from autoif.stopping import stoppable

    with opened(config, terminal(), allowed) as opened_run, stoppable(opened_run.tell):
        functions[name](opened_run)


for _name, _help in STAGES.items():
    _stage_command(_name, _help)


@cli.command()
@click.argument("config", type=click.Path(path_type=Path), required=False)
@with_options
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
    """Stage 9: score policy and reference.

    Give a CONFIG for the held-out instructions and the benchmarks of its run, or --task with --data and --responses to
    score ready-made responses: JSON on stdout.
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
    run_of(directory).saved()
    click.echo(write_report(directory))


for _tool in TOOLS:
    cli.add_command(_tool)


if __name__ == "__main__":
    main()

"""The table of the verbs, each with the function that has its options and its help."""

from __future__ import annotations

from typing import Annotated

import typer

from qipo_ray.cli.lazy import LazyGroup, load
from qipo_ray.version import __version__


class Verbs(LazyGroup):
    """The verbs of ``qipo-ray`` itself."""

    verbs = {
        "sweep": "qipo_ray.cli.options.training:sweep",
        "train": "qipo_ray.cli.options.training:train",
        "evaluate": "qipo_ray.cli.options.results:evaluate",
        "export": "qipo_ray.cli.options.results:export",
        "toy": "qipo_ray.cli.options.training:toy",
        "status": "qipo_ray.cli.options.results:status",
        "stop": "qipo_ray.cli.options.results:stop",
        "trials": "qipo_ray.cli.options.results:trials",
        "explain": "qipo_ray.cli.options.results:explain",
        "best": "qipo_ray.cli.options.results:best",
        "leaderboard": "qipo_ray.cli.options.results:leaderboard",
        "report": "qipo_ray.cli.options.results:report",
        "verify": "qipo_ray.cli.options.results:verify",
        "reproduce": "qipo_ray.cli.options.results:reproduce",
        "schema": "qipo_ray.cli.options.training:schema",
        "submit": "qipo_ray.cli.options.cluster:submit",
        "doctor": "qipo_ray.cli.options.cluster:doctor",
    }
    passing_on = frozenset({"submit"})


class DataVerbs(LazyGroup):
    """The verbs of ``qipo-ray data``."""

    verbs = {
        "get": "qipo_ray.cli.options.data:get",
        "plan": "qipo_ray.cli.options.data:plan",
        "list": "qipo_ray.cli.options.data:list_tasks",
        "show": "qipo_ray.cli.options.data:show",
        "verify": "qipo_ray.cli.options.data:verify",
        "make": "qipo_ray.cli.options.data:make",
        "import": "qipo_ray.cli.options.data:import_",
        "check": "qipo_ray.cli.options.data:check",
        "references": "qipo_ray.cli.options.data:references",
    }


class JobVerbs(LazyGroup):
    """The verbs of ``qipo-ray job``."""

    verbs = {
        "status": "qipo_ray.cli.options.cluster:status",
        "logs": "qipo_ray.cli.options.cluster:logs",
        "stop": "qipo_ray.cli.options.cluster:stop",
    }


class MethodVerbs(LazyGroup):
    """The verbs of ``qipo-ray method``."""

    verbs = {"check": "qipo_ray.cli.options.training:check_method"}


class BenchVerbs(LazyGroup):
    """The verbs of ``qipo-ray bench``."""

    verbs = {
        "learning": "qipo_ray.cli.options.training:learning",
        "peers": "qipo_ray.cli.options.training:peers",
    }


app = typer.Typer(
    name="qipo-ray",
    cls=Verbs,
    help="QIPO: offline reinforcement learning with energy-weighted diffusion and flow policies.",
    no_args_is_help=True,
)
data = typer.Typer(
    cls=DataVerbs,
    help="List tasks, get, make or import data, show and verify files, check your own task.",
    no_args_is_help=True,
)
bench = typer.Typer(cls=BenchVerbs, help="Benchmarks with numbers to reach.", no_args_is_help=True)
method = typer.Typer(
    cls=MethodVerbs, help="Methods of your own (docs/extend.md).", no_args_is_help=True
)
job = typer.Typer(
    cls=JobVerbs, help="Jobs that `submit` started on a Ray cluster.", no_args_is_help=True
)
app.add_typer(data, name="data")
app.add_typer(job, name="job")
app.add_typer(method, name="method")
app.add_typer(bench, name="bench")


def _use_methods(named: list[str] | None) -> None:
    """Import the methods of the user's own that records and files may then name."""
    for name in named or []:
        load("qipo_ray.config:use_method")(name)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"qipo-ray {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version."
        ),
    ] = False,
    use: Annotated[
        list[str] | None,
        typer.Option(
            "--use",
            metavar="MODULE:CLASS",
            callback=_use_methods,
            help="A method of your own, for records that name it: its module is imported.",
        ),
    ] = None,
) -> None:
    pass

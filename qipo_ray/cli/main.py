"""The command line: the verbs, and one place where a user's mistake becomes one line."""

from __future__ import annotations

import os
import shlex
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, TextIO

import typer

from qipo_ray.cli import (
    bench,
    data,
    evaluate,
    export,
    leaderboard,
    output,
    report,
    reproduce,
    sweep,
    toy,
    train,
    verify,
)
from qipo_ray.errors import UserError
from qipo_ray.version import __version__

USER_MISTAKE = 2  # exit codes
INTERRUPTED = 130
PIPE_CLOSED = 141

# What typer raises for unknown options, verbs and values; it has no public name of its own.
_UsageError: type[BaseException] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="qipo-ray",
    help="QIPO: offline reinforcement learning with energy-weighted diffusion and flow policies.",
    no_args_is_help=True,
)
app.add_typer(data.app, name="data")
app.command("sweep")(sweep.sweep)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("export")(export.export)
app.command("toy")(toy.toy)
app.add_typer(bench.app, name="bench")
app.command("leaderboard")(leaderboard.leaderboard)
app.command("report")(report.report)
app.command("verify")(verify.verify)
app.command("reproduce")(reproduce.reproduce)


def _print_version(wanted: bool) -> None:
    if wanted:
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
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code of one command; the program's own arguments if none are given.

    0: done. 1: done, and something is wrong, as the verb says. 2: the user's mistake, one line
    ``error: ...`` on stderr. 130: interrupted.
    """
    command = typer.main.get_command(app)
    given = list(sys.argv[1:] if arguments is None else arguments)
    output.invoked.command = shlex.join(["qipo-ray", *given])
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code = command.main(args=given, prog_name="qipo-ray", standalone_mode=False)
            sys.stdout.flush()
    except UserError as error:
        return _fail(str(error))
    except _UsageError as error:
        return _fail(_usage_message(error))
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("\ninterrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader, such as `head`, has gone: nothing more to say, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    return code if isinstance(code, int) else 0


def _usage_message(error: BaseException) -> str:
    """Return typer's own words and where to read more; nothing where it printed the help."""
    words: str = getattr(error, "format_message", lambda: str(error))()
    context = getattr(error, "ctx", None)
    if not words or context is None:
        return words
    return f"{words.rstrip('.')} (see `{context.command_path} --help`)"


def _fail(words: str) -> int:
    if words:
        sys.stderr.write(f"error: {' '.join(words.splitlines())}\n")
    return USER_MISTAKE


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning as one line without the source code around it."""
    sys.stderr.write(f"warning: {' '.join(str(message).splitlines())}\n")

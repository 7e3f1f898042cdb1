"""The command line: the one place where a user's mistake becomes one line and an exit code."""

from __future__ import annotations

import os
import shlex
import sys
import warnings
from collections.abc import Sequence
from traceback import walk_tb
from typing import TextIO

import typer

from qipo_ray.cli import invocation
from qipo_ray.cli.lazy import load
from qipo_ray.cli.machine_errors import in_words
from qipo_ray.cli.plain_signs import printable, write_plainly
from qipo_ray.cli.stopping import leave, stoppable
from qipo_ray.cli.verbs import app
from qipo_ray.errors import Failure, StorageError, UserError

FAILED = 1  # exit codes
USER_MISTAKE = 2
INTERRUPTED = 130
PIPE_CLOSED = 141
CONTINUED = ("bench", "reproduce", "sweep", "toy", "train")  # by the same command

# What typer raises for unknown options, verbs and values; it has no public name of its own.
_UsageError: type[BaseException] = typer.BadParameter.__mro__[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code of one command; the program's own arguments if none are given.

    0: done. 1: something is wrong, as the verb says or one line ``error: ...`` on stderr.
    2: the user's mistake, one such line. 130 and 143: stopped by SIGINT or SIGTERM.
    """
    write_plainly()
    argv = list(sys.argv[1:] if arguments is None else arguments)
    invocation.command = shlex.join(["qipo-ray", *argv])
    with stoppable() as stops:
        try:
            code = _carry_out(argv)
        except BaseException as error:  # after a stop it says nothing new
            explained = None if stops else _explained(error)
            if not stops and explained is None:
                raise
            code = explained or 0
        if stops:
            leave(stops, "; the same command continues" if {*argv} & {*CONTINUED} else "")
    return code


def _carry_out(argv: list[str]) -> int:
    """Return the exit code of a command that ends by itself."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        command = typer.main.get_command(app)
        code = command.main(args=argv, prog_name="qipo-ray", standalone_mode=False)
        sys.stdout.flush()
    return code if isinstance(code, int) else 0


def _explained(error: BaseException) -> int | None:
    """Return the exit code of an error, after a line that explains it; None for a bug."""
    if isinstance(error, UserError):
        return _fail(str(error))
    if isinstance(error, Failure):
        return _fail(str(error), FAILED)
    if isinstance(error, _UsageError):
        return _fail(_usage_message(error))
    if isinstance(error, typer.Abort):
        if isinstance(error.__cause__, EOFError):  # typer takes it for the user's
            return _fail(f"a file ends too early: {error.__cause__}", FAILED)
        return INTERRUPTED
    if isinstance(error, SystemExit):  # no verb of ours raises it: the code of a user did
        *_, (frame, number) = walk_tb(error.__traceback__)
        place = f"{frame.f_code.co_filename}:{number}"
        return _fail(f"{place} ended the program: SystemExit({error.code!r})", FAILED)
    if isinstance(error, BrokenPipeError):
        # The reader, such as `head`, has gone: nothing more to say, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    if isinstance(error, StorageError):
        return _fail(str(error), FAILED)
    if isinstance(error, OSError) and (line := in_words(error)) is not None:
        return _fail(line, FAILED)
    return None


def _usage_message(error: BaseException) -> str:
    """Return typer's own message and where to read more; nothing where it printed the help."""
    message: str = getattr(error, "format_message", lambda: str(error))()
    context = getattr(error, "ctx", None)
    if not message or context is None:
        return message
    return f"{message.rstrip('.')} (see `{context.command_path} --help`)"


def _fail(message: str, code: int = USER_MISTAKE) -> int:
    if message:
        with_uris = load("qipo_ray.store.bucket:with_uris")  # `--help` does without
        sys.stderr.write(f"error: {printable(with_uris(' '.join(message.splitlines())))}\n")
    return code


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning as one line without the source code around it."""
    sys.stderr.write(f"warning: {printable(' '.join(str(message).splitlines()))}\n")

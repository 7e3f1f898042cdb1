"""SIGINT and SIGTERM: one line and the shell's exit code, and a second one at once, in silence."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

# A shell lets its background jobs ignore SIGINT, and who runs the tests may be one.
VERB = """\
import signal, sys, threading, typer
signal.signal(signal.SIGINT, signal.default_int_handler)
from qipo_ray.cli import main as command

app = typer.Typer()

@app.command("train")
def train() -> None:
    try:
        print("at work", flush=True)
        threading.Event().wait(60)
    finally:
        print("leaving", flush=True)
        {leaving}

@app.command("show")
def show() -> None:
    train()

command.app = app
sys.exit(command.main())
"""


def start(verb: str, leaving: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", VERB.format(leaving=leaving), verb],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "at work\n"
    return process


@pytest.mark.faults
@pytest.mark.parametrize(
    ("number", "verb", "words"),
    [
        (signal.SIGINT, "train", "\nStopped; the same command continues\n"),
        (signal.SIGTERM, "train", "\nStopped; the same command continues\n"),
        (signal.SIGINT, "show", "\nStopped\n"),
    ],
)
@pytest.mark.parametrize("leaving", ["pass", "raise OSError(28, 'full')"])
def test_a_stop_is_one_line(number: int, verb: str, words: str, leaving: str) -> None:
    process = start(verb, leaving)
    process.send_signal(number)
    assert process.communicate(timeout=60) == ("leaving\n", words)
    assert process.returncode == 128 + number


@pytest.mark.faults
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_stop_ends_a_command_that_is_leaving(first: int, second: int) -> None:
    process = start("train", "threading.Event().wait(60)")
    process.send_signal(first)
    assert process.stdout is not None and process.stdout.readline() == "leaving\n"
    process.send_signal(second)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 128 + first

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from qipo_ray import __version__
from qipo_ray.cli import main as command
from qipo_ray.errors import UserError


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["leaderbord"], "Did you mean 'leaderboard'?"),
        (["leaderboard", ".", "--jsn"], "--json"),
        (["leaderboard"], "Missing argument 'RESULTS...'"),
        (["data", "mke"], "Did you mean 'make'?"),
        (["data", "make", "point", "--rows", "many"], "'--rows'"),
        (["--verison"], "--version"),
        (["leaderboard", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert words in captured.err


def test_usage_errors_say_where_to_read_more(capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["data", "make"])
    assert "(see `qipo-ray data make --help`)" in capsys.readouterr().err


def test_no_verb_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 2
    captured = capsys.readouterr()
    assert "leaderboard" in captured.out + captured.err
    assert "error" not in captured.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--version"]) == 0
    assert capsys.readouterr().out == f"qipo-ray {__version__}\n"


def test_what_a_verb_raises(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def verb(how: str) -> None:
        raised = {
            "mistake": UserError("one\ntwo"),
            "interrupt": KeyboardInterrupt(),
            "abort": typer.Abort(),
            "bug": ZeroDivisionError("a bug"),
        }
        raise raised[how]

    app = typer.Typer()
    app.command("first")(verb)
    app.command("second")(verb)
    monkeypatch.setattr(command, "app", app)
    assert command.main(["first", "mistake"]) == 2
    assert capsys.readouterr().err == "error: one two\n"
    assert command.main(["first", "interrupt"]) == 130
    assert command.main(["first", "abort"]) == 130
    with pytest.raises(
        ZeroDivisionError
    ):  # a bug is not the user's mistake: it keeps its traceback
        command.main(["first", "bug"])


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "usage"),
    [
        ("qipo_ray", "qipo-ray [OPTIONS] COMMAND"),
        ("qipo_ray.sweep", "qipo-ray sweep [OPTIONS] [[FILE]]"),
        ("qipo_ray.train", "qipo-ray train [OPTIONS]"),
        ("qipo_ray.leaderboard", "qipo-ray leaderboard [OPTIONS]"),
        ("qipo_ray.verify", "qipo-ray verify [OPTIONS]"),
        ("qipo_ray.data", "qipo-ray data [OPTIONS] COMMAND"),
        ("qipo_ray.bench", "qipo-ray bench [OPTIONS] COMMAND"),
    ],
)
def test_modules_that_are_commands(module: str, usage: str) -> None:
    done = python("-W", "error", "-m", module, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert usage in done.stdout


@pytest.mark.slow
def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    shell = f"{sys.executable} -m qipo_ray data list --json | head -n 1"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[\n", "")

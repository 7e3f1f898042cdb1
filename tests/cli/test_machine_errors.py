"""A full disk and its like: one line that names the path, exit code 1, and the run goes on."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from qipo_ray.cli import main as command
from qipo_ray.cli.machine_errors import REMEDIES, in_words

TINY = (
    "behaviour.width=16", "behaviour.updates=60", "critic.width=16", "critic.updates=40",
    "critic.returns_updates=40", "policy.rounds=1", "policy.renew_every=60", "policy.pool=100",
    "sampler.evaluations=4", "evaluation.final_episodes=6", "evaluation.episodes=3",
)  # fmt: skip


@pytest.mark.parametrize("number", REMEDIES)
def test_a_line_names_the_path_the_error_and_what_to_do(number: int) -> None:
    line = in_words(OSError(number, os.strerror(number), "/results/x"))
    assert line is not None
    assert line.startswith(f"/results/x: {os.strerror(number)}: {REMEDIES[number]}")


def test_a_file_on_the_way_to_a_path_is_the_one_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "records").touch()
    with pytest.raises(OSError) as raised:
        (tmp_path / "records" / "deep" / "x.json").write_text("")
    assert str(in_words(raised.value)).startswith(f"{tmp_path / 'records'}: Not a directory")


def test_hdf5_names_the_error_in_its_text_and_other_errors_are_bugs() -> None:
    told = OSError("Unable to write (file write failed: errno = 28, error message = 'No space')")
    assert "make space" in str(in_words(told))
    assert in_words(OSError("of a library")) is None
    assert in_words(ConnectionRefusedError(errno.ECONNREFUSED, "refused")) is None


def test_an_end_of_file_is_no_interruption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def verb() -> None:
        raise EOFError("No data left in file")

    app = typer.Typer()
    app.command()(verb)
    monkeypatch.setattr(command, "app", app)
    assert command.main([]) == 1
    assert capsys.readouterr().err.strip() == (
        "error: a file ends too early: No data left in file"
    )


@pytest.mark.faults
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_training_says_what_is_full_and_goes_on_after(jobs: str, tmp_path: Path) -> None:
    """Files over 8 kB cannot be written: at once in this process and in one of two others."""
    line = [sys.executable, "-m", "qipo_ray", "train", "--task", "point", "--seeds", "0,1"]
    line += ["--results", str(tmp_path), "--jobs", jobs]
    line += [part for change in TINY for part in ("--set", change)]
    subprocess.run([*line[:3], "data", "make", "point"], capture_output=True)  # if missing

    def shrink() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))

    env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}  # Python would cut its own files short
    full = subprocess.run(line, preexec_fn=shrink, env=env, capture_output=True, text=True)
    assert full.returncode == 1
    (error,) = [words for words in full.stderr.splitlines() if "behaviour-" in words]
    assert error.startswith(f"error: {tmp_path}/artefacts/behaviour-")
    assert "File too large: allow larger files (ulimit -f)" in error
    assert "Traceback" not in full.stderr
    assert not list(tmp_path.rglob("*.tmp"))
    assert subprocess.run(line, capture_output=True).returncode == 0

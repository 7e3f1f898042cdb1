"""``qipo-ray train`` and ``evaluate`` as a user runs them, on the `point` task."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import h5py
import numpy as np
import pytest

from qipo_ray.cli.main import main
from qipo_ray.cli.options.training import train
from qipo_ray.cli.prepare import writable
from qipo_ray.config import preset_names
from qipo_ray.train import memory

TINY = [
    "behaviour.width=16", "behaviour.updates=300", "critic.width=16", "critic.updates=200",
    "critic.returns_updates=200", "policy.rounds=2", "policy.renew_every=200", "policy.pool=200",
    "sampler.evaluations=4", "evaluation.final_episodes=10", "evaluation.episodes=5",
]  # fmt: skip


def command(results: Path, *extra: str) -> list[str]:
    sets = [part for change in TINY for part in ("--set", change)]
    return ["train", "--task", "point", "--results", str(results), *sets, *extra]


def test_help_names_every_preset() -> None:
    """Loading them takes yaml, which `--help` does not wait for."""
    (option,) = get_type_hints(train, include_extras=True)["preset"].__metadata__
    named = option.help.removesuffix(", or a YAML file.").split(", ")
    assert sorted(named) == list(preset_names())


@pytest.mark.slow
def test_results_follow_the_umask_unless_they_are_private(point_run: Path, tmp_path: Path) -> None:
    os.umask(mask := os.umask(0o022))
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in point_run.rglob("*")}
    assert modes == {(True, 0o777 & ~mask), (False, 0o666 & ~mask)}

    writable(tmp_path / "R", private=True)
    assert stat.S_IMODE((tmp_path / "R").stat().st_mode) == 0o700


@pytest.mark.slow
def test_train_then_nothing_to_do_then_evaluate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QIPO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")  # no cell of the table breaks
    results = tmp_path / "R"
    assert main(command(results, "--seeds", "0,1", "--jobs", "1")) == 0
    first = capsys.readouterr()
    assert "generating the data of point" in first.err and "QIPO-OT" in first.out
    assert re.search(r"memory: [\d.]+ [kM]B for a job; policy support .* for a batch", first.err)
    assert f"tensorboard --logdir {results / 'tensorboard'}" in first.err
    assert main(command(results, "--seeds", "0,1")) == 0
    second = capsys.readouterr()
    assert "nothing to do: all 2 runs are in" in second.err and second.out == first.out

    assert main(["evaluate", str(results), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["score"] for row in rows] == [row["recorded"] for row in rows]
    other = ["--episodes", "3", "--set", "sampler.solver=heun"]
    assert main(["evaluate", str(results), *other, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["protocol"]["sampler"] == "heun" and rows[0]["score"]["episodes"] == 3
    assert main(["evaluate", str(results), "--set", "policy.beta=1"]) == 2
    assert "evaluate changes only sampler.solver" in capsys.readouterr().err


def test_what_does_not_fit_in_all_processes_is_refused_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QIPO_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(memory, "_free", lambda device: 100_000)
    assert main(command(tmp_path / "R", "--seeds", "0,1", "--jobs", "2")) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: policy support ") and ", 2 times, and 100 kB are free" in said
    assert not (tmp_path / "R" / "artefacts").exists()


@pytest.mark.faults
def test_killed_and_continued_it_ends_like_an_unbroken_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGKILL of the whole command while two processes train; continued in one."""
    line = [sys.executable, "-m", "qipo_ray", *command(tmp_path / "R", "--seeds", "0,1", "--json")]
    process = subprocess.Popen(
        line, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=os.environ
    )
    assert process.stderr is not None
    for text in process.stderr:
        if "critic" in text and "done" in text:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()

    def scores(results: Path) -> list[object]:
        assert main(command(results, "--seeds", "0,1", "--json", "--jobs", "1")) == 0
        (table,) = json.loads(capsys.readouterr().out)["tables"]
        return [(row["method"], row["last"], row["gain"]) for row in table["rows"]]

    assert scores(tmp_path / "R") == scores(tmp_path / "unbroken")


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        (["--seeds", "0,x"], "--seeds '0,x': expected whole numbers from 0"),
        (["--seeds", "1,1"], "--seeds '1,1': 1 comes twice"),
        (["--set", "policy.betta=1"], "did you mean 'policy.beta'?"),
        (["--preset", "papper"], "did you mean 'paper'?"),
        (["--data", "/nowhere/x.hdf5"], "/nowhere/x.hdf5 for task point does not exist"),
        (["--task", "pointt"], "did you mean 'point'?"),
        (["--task", "antmaze-umaze-v2"], "no data for task antmaze-umaze-v2"),
        (["--results", "/proc/nothing"], "cannot write there"),
    ],
)
def test_a_users_mistake_is_one_line(
    extra: list[str], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(tmp_path / "R", *extra)) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and text in printed.err.splitlines()[-1]
    assert printed.err.splitlines()[-1].startswith("error: ")
    assert not list((tmp_path / "R").glob("**/*.pt"))


@pytest.mark.slow
def test_data_that_know_no_return_are_trained_on_and_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Episodes of 200 steps, none of which ends but by the clock."""
    rows, path, random = 800, tmp_path / "own.hdf5", np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file["observations"] = random.standard_normal((rows, 11)).astype("f4")
        file["actions"] = random.uniform(-1, 1, (rows, 3)).astype("f4")
        file["rewards"] = (1 + np.arange(rows) // 200).astype("f4")
        file["terminals"] = np.zeros(rows, bool)
        file["timeouts"] = np.arange(rows) % 200 == 199
    few = ["--task", "hopper-medium-v2", "--data", str(path), "--set", "evaluation.episodes=1"]
    results = tmp_path / "R"
    assert main(command(results, *few, "--set", "evaluation.final_episodes=1")) == 0
    said = "no return-to-go is known at discount 0.99: that takes a terminal or 299 rewards"
    assert f"data: {said}" in capsys.readouterr().err
    (file,) = (results / "records").glob("*.json")
    notes = json.loads(file.read_bytes())["data"]["notes"]
    assert any(note.startswith(said) for note in notes)


def test_evaluate_refuses_what_it_cannot_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(tmp_path / "none")]) == 2
    assert "no results folder" in capsys.readouterr().err
    (tmp_path / "R" / "records").mkdir(parents=True)
    assert main(["evaluate", str(tmp_path)]) == 2
    assert f"there are {tmp_path / 'R'}" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "R")]) == 2
    assert "no finished run" in capsys.readouterr().err

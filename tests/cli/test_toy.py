"""``qipo-ray toy``: a small experiment from the command line, and a user's mistakes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from qipo_ray.cli.main import main
from qipo_ray.validation import tilt
from qipo_ray.validation.cell_runner import Cell
from qipo_ray.validation.experiments import EXPERIMENTS
from qipo_ray.validation.learner import TrainingPlan


def test_an_unknown_experiment_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["toy", "densties"]) == 2
    error = capsys.readouterr().err
    assert "no experiment 'densties' (did you mean 'densities'?)" in error
    assert error.count("\n") == 1


def test_the_help_names_every_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["toy", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"{name}:" in shown for name in EXPERIMENTS) and len(EXPERIMENTS) == 5


def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["toy", "tilt", "--quick", "--results", str(tmp_path / "file")]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: --results ") and "cannot write there" in last


@pytest.mark.slow
def test_tables_are_shown_and_kept_and_nothing_is_done_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def tiny(seeds: int) -> Iterator[Cell]:
        plan = TrainingPlan(updates=5, batch=64, weighed=64, width=16, blocks=1)
        return islice(tilt.cells(seeds, plan), 15)

    monkeypatch.setitem(EXPERIMENTS, "tilt", replace(EXPERIMENTS["tilt"], quick=tiny))
    monkeypatch.setattr(tilt, "shortfall", lambda beta, batch: 0.0)  # seconds of Monte Carlo
    command = ["toy", "tilt", "--quick", "--jobs", "1", "--results", str(tmp_path)]
    assert main(command) == 0
    first = capsys.readouterr().out
    assert "Trained field against the closed form" in first and "Numbers to reach" in first
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "tilt-quick/cells").iterdir()}
    assert (tmp_path / "tilt-quick/report.md").read_text().startswith("# A Gaussian with")
    assert main(command) == 0
    assert capsys.readouterr().out == first
    assert kept == {p: p.stat().st_mtime_ns for p in (tmp_path / "tilt-quick/cells").iterdir()}
    assert main([*command, "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert [table["title"] in first for table in numbers["tables"]] == [True] * 4
    assert numbers["targets"][0].keys() >= {"name", "bound", "limit", "met"}

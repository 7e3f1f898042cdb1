"""What the benchmark trains: the issue's tasks, paths and limits, on settings that fit them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qipo_ray.bench import learning
from qipo_ray.bench.learning import TASKS, BenchLimits, cases, chosen
from qipo_ray.config import config_hash, departures
from qipo_ray.errors import UserError

SEEDS = (100, 101, 102, 103, 104)


def quiet(done: int, total: int) -> None:
    """No progress."""


def test_both_paths_and_the_control_are_trained_on_the_report_seeds() -> None:
    point, maze = chosen("point,maze")
    lines = [(case.method, case.seeds) for case in cases(point, SEEDS, paper_form=True)]
    every = (100, 101, 102, 103, 104)
    assert lines == [
        ("QIPO-OT", every),
        ("QIPO-OT, beta = 0", every),
        ("QIPO-Diff", every),
        ("QIPO-Diff, beta = 0", every),
        ("QIPO-OT, paper's form", (100,)),
    ]
    assert [case.method for case in cases(maze, SEEDS, False)] == ["QIPO-OT", "QIPO-Diff"]
    hashes = [config_hash(case.config) for task in TASKS for case in cases(task, SEEDS, True)]
    # hopper and cheetah may share settings, and all tasks share the paper's form
    assert len({*hashes[:5]}) == 5


def test_the_presets_are_what_the_numbers_to_reach_speak_of() -> None:
    for task in TASKS:
        for case in cases(task, SEEDS, paper_form=True):
            config = case.config
            assert config.evaluation.final_episodes == 100
            best_of_16 = 10 if case.form == "paper's form" else 100
            assert config.evaluation.episodes == best_of_16
            if task.name == "point" and case.form != "paper's form":
                assert config.critic.returns_updates == 0 and config.critic.target == "softmax"
            if task.name == "hopper":
                assert config.policy.rounds > 1
            if case.form == "paper's form":
                scales = {"clipped-actions", "critic-pool", "policy-pool"}
                assert {label.partition("=")[0] for label in departures(config)} <= scales
            if case.form == "beta = 0":
                assert config.policy.beta == 0 and config.policy.target_ess == 0
                assert case.limits == BenchLimits(within=12)


def test_the_limits_are_the_issues() -> None:
    point, maze, hopper, cheetah = (task.limits for task in TASKS)
    assert point["ot"] == point["vp"] == BenchLimits(every_seed=40, cpu_s=30)
    assert maze == {"ot": BenchLimits(mean=20, cpu_s=60), "vp": BenchLimits(mean=15, cpu_s=60)}
    assert hopper["ot"] == hopper["vp"] == BenchLimits(mean=10, every_seed=-3, cpu_s=120)
    assert cheetah["ot"] == cheetah["vp"] == BenchLimits(mean=-2, warned=True)


def test_unknown_tasks_and_missing_data_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--tasks 'hoper' .did you mean 'hopper'.*point, maze"):
        chosen("point,hoper")
    (hopper,) = chosen("hopper")
    with pytest.raises(UserError, match="--data: hopper needs the folder with hopper-medium"):
        hopper.dataset(None, tmp_path, quiet)
    with pytest.raises(UserError, match="hopper-medium-replay-gen-v1.hdf5 .* does not exist"):
        hopper.dataset(tmp_path, tmp_path, quiet)


def test_generated_data_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths: list[Path] = []
    real = learning.generate

    def small(task: str, path: Path, progress: Callable[..., None]) -> Path:
        paths.append(path)
        return real(task, path, rows=500, progress=progress)

    monkeypatch.setattr(learning, "generate", small)
    (point,) = chosen("point")
    first, second = (point.dataset(None, tmp_path, quiet) for _ in range(2))
    assert first.sha256 == second.sha256 and first.source == "generated"
    assert paths == [tmp_path / "data" / "point.hdf5"]

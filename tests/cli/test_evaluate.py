"""``qipo-ray evaluate``: seeds, one record, and the video of an episode."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qipo_ray.cli.main import main


def rows(capsys: pytest.CaptureFixture[str], *line: str | Path) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main(["evaluate", *map(str, line), "--json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def record_of(results: Path) -> Path:
    return next((results / "records").glob("*.json"))


@pytest.mark.slow
def test_a_record_file_scores_as_recorded(
    point_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = rows(capsys, record_of(point_run))
    assert row["score"] == row["recorded"]
    assert row["protocol"]["env_seeds"] == "1001..1006" and row["protocol"]["noise_seed"] == 0


def test_a_seed_chooses_environments_and_noise(
    point_run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = rows(capsys, point_run, "--seed", "7", "--episodes", "4")
    assert first["protocol"]["env_seeds"] == "7..10" and first["protocol"]["noise_seed"] == 7
    assert rows(capsys, point_run, "--seed", "7", "--episodes", "4") == [first]
    (other,) = rows(capsys, point_run, "--seed", "8", "--episodes", "4")
    assert other["score"]["mean"] != first["score"]["mean"]
    # The recorded environments with other noise: not the recorded score.
    (noise,) = rows(capsys, point_run, "--seed", "1001")
    assert noise["score"] != noise["recorded"]
    monkeypatch.setenv("COLUMNS", "300")
    assert main(["evaluate", str(point_run), "--seed", "7", "--episodes", "4"]) == 0
    assert "environment seeds 7..10, noise seed 7" in capsys.readouterr().out


def test_less_noise_scores_otherwise_and_its_row_says_so(
    point_run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = rows(capsys, point_run, "--set", "sampler.noise=0")
    assert row["score"]["mean"] != row["recorded"]["mean"] and row["protocol"]["noise"] == 0
    (as_recorded,) = rows(capsys, point_run, "--set", "sampler.noise=1")
    assert as_recorded["score"] == as_recorded["recorded"]
    assert "noise" not in as_recorded["protocol"]
    monkeypatch.setenv("COLUMNS", "300")
    assert main(["evaluate", str(point_run), "--set", "sampler.noise=0"]) == 0
    assert "online, noise times 0" in capsys.readouterr().out


def test_the_best_of_several_actions_is_scored_by_the_critic_of_the_run(
    point_run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = rows(capsys, point_run, "--set", "sampler.best_of=4")
    assert row["score"]["mean"] != row["recorded"]["mean"] and row["protocol"]["best_of"] == 4
    monkeypatch.setenv("COLUMNS", "300")
    assert main(["evaluate", str(point_run), "--set", "sampler.best_of=4"]) == 0
    assert "online, one of 4" in capsys.readouterr().out
    line = ["evaluate", str(point_run), "--set", "sampler.best_of=4", "--set", "sampler.noise=0"]
    assert main(line) == 2
    assert "sampler.best_of needs sampler.noise above 0, or all" in capsys.readouterr().err


@pytest.mark.slow
def test_a_distilled_policy_is_scored_in_one_step_as_it_was_distilled(
    point_run: Path,
    train_point: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one_step = ("--set", "sampler.one_step=true")
    assert main(["evaluate", str(point_run), *one_step]) == 2
    assert "sampler.one_step needs distil.updates above 0" in capsys.readouterr().err
    small = ("distil.updates=20", "distil.width=16", "distil.layers=1", "sampler.noise=0.5")
    results = train_point(tmp_path / "R", *small)
    (flow,), (row,) = rows(capsys, results), rows(capsys, results, *one_step)
    assert flow["score"] == flow["recorded"] != row["score"]
    assert (row["protocol"]["sampler"], row["protocol"]["steps"]) == ("one-step", 1)
    for change in ("sampler.noise=0", "evaluation.weights=ema", "sampler.evaluations=2"):
        assert main(["evaluate", str(results), *one_step, "--set", change]) == 2
        assert "nothing was distilled of policy" in capsys.readouterr().err
    train_point(results, *small, "sampler.one_step=true")  # of the very same network
    assert len(list(results.glob("artefacts/distil-*/*.pt"))) == 1
    acting = rows(capsys, results)
    assert sorted(r["recorded"]["mean"] for r in acting) == sorted(
        r["score"]["mean"] for r in (flow, row)
    )


@pytest.mark.slow
def test_a_video_shows_the_first_episode_and_changes_no_score(
    point_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import imageio.v3

    path = tmp_path / "out.gif"
    (row,) = rows(capsys, point_run, "--video", path)
    assert row["score"] == row["recorded"]
    pictures = imageio.v3.imread(path)[..., :3]
    # 25 steps and the start; pictures that are equal stand only once in a GIF.
    assert 2 < len(pictures) <= 26 and pictures.shape[1:] == (256, 256, 3)
    blue = [np.argwhere((one[..., 2] > 120) & (one[..., 0] < 80)) for one in pictures]
    start = np.random.default_rng(1001).uniform(-1, 1, 2)  # of the first environment seed
    seen = blue[0].mean(axis=0) / 256 * 2.1 - 1.05
    assert seen[1] == pytest.approx(start[0], abs=0.03)  # columns go right
    assert -seen[0] == pytest.approx(start[1], abs=0.03)  # rows go down
    assert [one.name for one in tmp_path.iterdir()] == ["out.gif"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("out.mp4", "expected a name that ends in .gif"),
        ("none/out.gif", "there is no folder"),
        ("out.gif", "shows one run, and there are 2; choose one with --record"),
    ],
)
def test_a_wrong_video_is_refused_before_anything_is_computed(
    train_point: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str,
) -> None:
    results = train_point(tmp_path / "R", seeds="0,1")
    monkeypatch.setattr("qipo_ray.cli.evaluate.score_state", None)
    capsys.readouterr()
    assert main(["evaluate", str(results), "--video", str(tmp_path / name)]) == 2
    printed = capsys.readouterr()
    assert text in printed.err and printed.out == ""
    assert [one.name for one in tmp_path.iterdir()] == ["R"]


def test_a_task_that_cannot_be_drawn_here_is_one_line(
    point_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("no graphics")

    monkeypatch.setattr("qipo_ray.evaluation.point_env.PointVectorEnv.render", broken)
    monkeypatch.setattr("qipo_ray.cli.evaluate.score_state", None)
    assert main(["evaluate", str(point_run), "--video", str(tmp_path / "out.gif")]) == 2
    assert "task 'point' cannot be drawn here" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_recorded_run_must_be_there(
    point_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = record_of(point_run).stem
    assert main(["evaluate", str(point_run), "--record", wanted[:-1]]) == 2
    assert f"(did you mean '{wanted}'?)" in capsys.readouterr().err
    assert main(["evaluate", str(point_run), "--best", "--record", wanted]) == 2
    assert "name two runs; give one of them" in capsys.readouterr().err
    assert main(["evaluate", str(point_run), "--method", "QIPO-OT"]) == 2
    assert "says which best run is wanted: add --best" in capsys.readouterr().err
    assert main(["evaluate", str(point_run), "--seed", "-1"]) == 2
    assert "--seed" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("library", ["disable", "glfw", "egl"])
def test_mujoco_draws_or_says_why_not(library: str) -> None:
    """In a process of its own, since MuJoCo takes its graphics library when it is imported."""
    code = """
from qipo_ray.data.tasks import get_task
from qipo_ray.errors import UserError
from qipo_ray.evaluation.episode_recorder import check_rendering
try:
    check_rendering(get_task("hopper-medium-v2"))
except UserError as error:
    print("refused", error)
else:
    print("drawn")
"""
    hidden = {"DISPLAY", "WAYLAND_DISPLAY"}
    env = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**env, "MUJOCO_GL": library},
        capture_output=True,
        text=True,
        check=True,
    )
    refused = f"refused task 'hopper-medium-v2' cannot be drawn here: MuJoCo finds no graphics \
library with MUJOCO_GL='{library}'"
    assert done.stdout.startswith(refused) or (library == "egl" and done.stdout == "drawn\n")

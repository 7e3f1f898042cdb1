"""``qipo_ray.load_policy``: a trained policy to act with, as a robot's programmer uses it."""

from __future__ import annotations

import doctest
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import qipo_ray
from qipo_ray.errors import UserError

OBSERVATIONS = np.random.default_rng(5).uniform(-1, 1, (7, 2)).astype(np.float32)


def record_of(results: Path) -> Path:
    (path,) = (results / "records").glob("*.json")
    return path


def test_the_example_of_the_docstring_is_true(
    point_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results").symlink_to(point_run)
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(qipo_ray)
    assert (failed, tried) == (0, 5)


def test_one_observation_or_a_batch(point_run: Path) -> None:
    policy = qipo_ray.load_policy(point_run)
    single, batch = policy.act(OBSERVATIONS[0]), policy.act(OBSERVATIONS)
    assert (
        single.shape == (2,) and batch.shape == (7, 2) and policy.act(OBSERVATIONS[:0]).size == 0
    )
    assert single.dtype == batch.dtype == np.float32 and abs(batch).max() <= 1
    assert (policy.state_dim, policy.action_dim, policy.task) == (2, 2, "point")
    assert policy.record == record_of(point_run).stem
    best = qipo_ray.load_policy(point_run, best=True, task="point", method="QIPO-OT")
    assert best.record == policy.record
    with pytest.raises(UserError, match="says which best run is wanted: add --best"):
        qipo_ray.load_policy(point_run, task="point")
    assert policy.act([0.5, 0]).shape == (2,) and policy.act(np.array([1, 0])).shape == (2,)


def test_a_seed_fixes_the_actions(point_run: Path) -> None:
    def actions(seed: int) -> list[list[float]]:
        policy = qipo_ray.load_policy(str(record_of(point_run)), seed=seed)
        return [policy.act(row).tolist() for row in OBSERVATIONS]

    assert actions(0) == actions(0) != actions(1)
    policy = qipo_ray.load_policy(point_run)
    first = policy.act(OBSERVATIONS[0])
    assert first.tolist() == actions(0)[0]
    assert (policy.act(OBSERVATIONS[0]) != first).any()  # drawn anew each time


def test_batches_and_single_observations_meet_the_same_noise(point_run: Path) -> None:
    single, batch, halves = (qipo_ray.load_policy(point_run, seed=3) for _ in range(3))
    rows = np.stack([single.act(row) for row in OBSERVATIONS])
    assert batch.act(OBSERVATIONS) == pytest.approx(rows, abs=1e-5)
    split = np.concatenate([halves.act(OBSERVATIONS[:3]), halves.act(OBSERVATIONS[3:])])
    assert split == pytest.approx(rows, abs=1e-5)


def test_it_leaves_the_streams_of_others_alone(point_run: Path) -> None:
    import torch

    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    qipo_ray.load_policy(point_run).act(OBSERVATIONS)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.slow
def test_the_configured_weights_act(train_point: Callable[..., Path], tmp_path: Path) -> None:
    from qipo_ray.deploy.finished_run import only_run

    changes = ("evaluation.weights=ema", "policy.ema_rate=0.001")
    results = train_point(tmp_path / "R", *changes)
    policy = qipo_ray.load_policy(results)
    run = only_run(results)
    weights = run.state()["weights"]
    flat = next(iter(policy._policy.weights.values()))
    count = flat.numel()
    assert flat.flatten().tolist() == weights["ema"][0, :count].tolist()
    assert flat.flatten().tolist() != weights["online"][0, :count].tolist()


@pytest.mark.parametrize(
    ("observation", "kind", "text"),
    [
        (np.zeros(3), ValueError, "expected the shape (2,) or (B, 2) of point, got (3,)"),
        (np.zeros((1, 1, 2)), ValueError, "got (1, 1, 2)"),
        (0.5, ValueError, "got ()"),
        ([[0.0, 1.0], [2.0]], ValueError, "observation: not an array"),
        (["a", "b"], TypeError, "expected real numbers, got the dtype <U1"),
        (np.zeros(2, complex), TypeError, "got the dtype complex128"),
        ([None, 1.0], TypeError, "got the dtype object"),
        ([[0, 0], [0, np.nan]], ValueError, "observation[1, 1] is nan, not a finite number"),
        ([1e300, 0], ValueError, "observation[0] is 1e+300"),
    ],
)
def test_a_wrong_observation_is_refused(
    point_run: Path, observation: object, kind: type[Exception], text: str
) -> None:
    policy, other = qipo_ray.load_policy(point_run), qipo_ray.load_policy(point_run)
    with pytest.raises(kind) as caught:
        policy.act(observation)  # type: ignore[arg-type]
    assert text in str(caught.value)
    # A refused observation costs no noise.
    assert policy.act(OBSERVATIONS).tolist() == other.act(OBSERVATIONS).tolist()


def test_importing_the_package_stays_light() -> None:
    heavy = "{'torch', 'numpy', 'ray', 'qipo_ray.train'}"
    code = f"import sys, qipo_ray; qipo_ray.load_policy; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

"""Exported policies: with every network they act like the original, or are refused."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from qipo_ray import load_policy
from qipo_ray.deploy import export as export_module
from qipo_ray.deploy.export import MAX_DIFFERENCE, PolicyFunction, export_policy, run_onnx
from qipo_ray.deploy.finished_run import only_run
from qipo_ray.errors import UserError
from qipo_ray.train.checkpoint_policy import CheckpointPolicy

ONE_STEP = "sampler.one_step=true"
METADATA = {"task": "point", "seed": "0"}
DRAWS = np.random.default_rng(1)
OBSERVATIONS, NOISE = (DRAWS.standard_normal((9, 2)).astype(np.float32) for _ in range(2))


def policy_of(results: Path) -> CheckpointPolicy:
    run = only_run(results)
    return CheckpointPolicy(run.config, run.state())


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        ("behaviour.path=ot", "behaviour.network=unet", "sampler.clip=false"),
        ("behaviour.path=vp", "behaviour.network=residual", "sampler.clip=false"),
        ("policy.method=fql", "fql.width=16", "fql.layers=2", "fql.updates=40"),
    ],
)
def test_every_network(
    train_point: Callable[..., Path], tmp_path: Path, changes: tuple[str, ...]
) -> None:
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    policy = policy_of(train_point(tmp_path / "R", *changes))
    inputs = torch.from_numpy(OBSERVATIONS), torch.from_numpy(NOISE)
    expected = policy(*inputs).numpy()
    data, difference = export_policy(policy, ".pt2", METADATA)
    run = torch.export.load(io.BytesIO(data)).module()
    assert run(*inputs).numpy() == pytest.approx(expected, abs=1e-5, rel=1e-5)
    assert difference <= MAX_DIFFERENCE
    data, difference = export_policy(policy, ".onnx", METADATA)
    session = onnxruntime.InferenceSession(data)
    assert session.get_modelmeta().custom_metadata_map == METADATA
    for rows in (1, 9):  # the batch is free
        batch = {"observations": OBSERVATIONS[:rows], "noise": NOISE[:rows]}
        (actions,) = session.run(["actions"], batch)
        assert actions == pytest.approx(expected[:rows], abs=1e-4, rel=1e-4)
    assert difference <= MAX_DIFFERENCE


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [
        ("bestofn", "bestofn.actions=4", "bestofn.temperature=0.1"),
        ("qgpo", "qgpo.width=16", "qgpo.updates=50", "qgpo.pool=50", "behaviour.path=vp"),
        ("qipo", "sampler.best_of=4", "distil.updates=9", "distil.width=16"),
        ("qipo", "sampler.best_of=4", "distil.updates=9", "distil.width=16", ONE_STEP),
    ],
    ids=["bestofn", "qgpo", "qipo", "one step"],
)
def test_policies_of_two_networks_act_and_are_exported(
    train_point: Callable[..., Path], tmp_path: Path, method: tuple[str, ...]
) -> None:
    pytest.importorskip("onnxscript")
    name, *changes = method
    few = "sampler.evaluations=2"
    results = train_point(tmp_path / "R", f"policy.method={name}", *changes, few)
    one, batch, other = (load_policy(results, seed=seed) for seed in (3, 3, 4))
    rows = np.stack([one.act(row) for row in OBSERVATIONS])
    assert batch.act(OBSERVATIONS) == pytest.approx(rows, abs=1e-5)
    assert (other.act(OBSERVATIONS) != rows).any() and abs(rows).max() <= 1
    policy = policy_of(results)
    noise = np.random.default_rng(3).standard_normal((9, policy.noise_dim), dtype=np.float32)
    inputs = torch.from_numpy(OBSERVATIONS), torch.from_numpy(noise)
    assert policy(*inputs).numpy() == pytest.approx(rows, abs=1e-5)
    data, difference = export_policy(policy, ".onnx", METADATA)
    assert difference <= MAX_DIFFERENCE
    assert run_onnx(data)(*inputs).numpy() == pytest.approx(rows, abs=1e-4)


@pytest.mark.parametrize(("shift", "text"), [(2e-4, "by 0.0002"), (float("nan"), "by nan")])
def test_another_policy_is_refused(
    point_run: Path, monkeypatch: pytest.MonkeyPatch, shift: float, text: str
) -> None:
    policy = policy_of(point_run)

    def shifted(_: bytes) -> PolicyFunction:
        return lambda observations, noise: policy(observations, noise) + shift

    monkeypatch.setitem(export_module.FORMATS, ".pt2", (lambda *_: b"data", shifted))
    with pytest.raises(UserError, match=f"differs from the original {text} in an action"):
        export_policy(policy, ".pt2", METADATA)


def test_onnx_without_its_packages_says_what_to_install(
    point_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    formats = (lambda *_: b"data", export_module.run_onnx)
    monkeypatch.setitem(export_module.FORMATS, ".onnx", formats)
    with pytest.raises(UserError, match=r"pip install 'qipo_ray\[onnx\]'"):
        export_policy(policy_of(point_run), ".onnx", METADATA)

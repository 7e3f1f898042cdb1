"""``qipo-ray export``: files that act like the policy, or no file."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from qipo_ray import __version__
from qipo_ray.cli.main import main
from qipo_ray.deploy import export as export_module
from qipo_ray.deploy.finished_run import only_run
from qipo_ray.train.checkpoint_policy import CheckpointPolicy

DRAWS = np.random.default_rng(1)
INPUTS = [DRAWS.standard_normal((9, 2)).astype(np.float32) for _ in range(2)]


def wanted(results: Path) -> np.ndarray:
    run = only_run(results)
    return CheckpointPolicy(run.config, run.state())(*map(torch.from_numpy, INPUTS)).numpy()


def told(results: Path) -> dict[str, Any]:
    """What an exported file has to say of itself."""
    record = only_run(results).record
    return {
        "task": "point", "record": record["id"], "method": record["label"]["method"],
        "seed": "0", "state_dim": "2", "action_dim": "2", "data_source": "generated",
        "qipo_ray": __version__,
    }  # fmt: skip


def check_pt2(results: Path, path: Path) -> None:
    extra = {"qipo_ray.json": ""}
    data = io.BytesIO(path.read_bytes())
    run = torch.export.load(data, extra_files=extra).module()
    assert json.loads(extra["qipo_ray.json"]) == told(results)
    assert run(*map(torch.from_numpy, INPUTS)).numpy() == pytest.approx(
        wanted(results), abs=1e-5, rel=1e-5
    )


def check_onnx(results: Path, path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(path.read_bytes())
    assert session.get_modelmeta().custom_metadata_map == told(results)
    for rows in (1, 9):  # the batch is free
        given = {
            "observations": INPUTS[0][:rows],
            "noise": INPUTS[1][:rows],
        }
        (actions,) = session.run(["actions"], given)
        assert actions == pytest.approx(wanted(results)[:rows], abs=1e-4, rel=1e-4)


@pytest.mark.slow
def test_a_pt2_file_acts_like_the_policy(
    point_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policy.pt2"
    assert main(["export", str(point_run), str(path)]) == 0
    printed = capsys.readouterr().err
    assert "on 64 drawn inputs its actions differ from the original's by at most 0" in printed
    assert "arning" not in printed
    check_pt2(point_run, path)
    assert [one.name for one in tmp_path.iterdir()] == ["policy.pt2"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "network"), [("ot", "unet"), ("vp", "residual"), ("trig", "unet")]
)
def test_every_path_and_network(
    train_point: Callable[..., Path], tmp_path: Path, path: str, network: str
) -> None:
    pytest.importorskip("onnxscript")
    changes = (f"behaviour.path={path}", f"behaviour.network={network}", "sampler.clip=false")
    results = train_point(tmp_path / "R", *changes)
    for name, check in (("policy.pt2", check_pt2), ("policy.onnx", check_onnx)):
        assert main(["export", str(results), str(tmp_path / name)]) == 0
        check(results, tmp_path / name)


@pytest.mark.parametrize(
    ("off", "text"), [(2e-4, "differs from the original by 0.0002"), (float("nan"), "by nan")]
)
def test_a_file_that_acts_otherwise_is_not_written(
    point_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    off: float,
    text: str,
) -> None:
    run = only_run(point_run)
    policy = CheckpointPolicy(run.config, run.state())

    def shifted(_: bytes) -> export_module.Run:
        return lambda observations, noise: policy(observations, noise) + off

    monkeypatch.setitem(export_module.FORMATS, ".pt2", (lambda *_: b"data", shifted))
    assert main(["export", str(point_run), str(tmp_path / "policy.pt2")]) == 2
    assert text in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_onnx_without_its_packages_says_what_to_install(
    point_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(
        export_module.FORMATS, ".onnx", (lambda *_: b"data", export_module.run_onnx)
    )
    assert main(["export", str(point_run), str(tmp_path / "policy.onnx")]) == 2
    assert "pip install 'qipo_ray[onnx]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("policy.onxx", "did you mean '.onnx'?"),
        ("policy", "its ending '' names no format; expected .pt2 or .onnx"),
        ("none/policy.pt2", "there is no folder"),
        ("folder.pt2", "is a folder"),
    ],
)
def test_a_wrong_file_name_is_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    (tmp_path / "folder.pt2").mkdir()
    assert main(["export", str(tmp_path / "no-results"), str(tmp_path / name)]) == 2
    assert text in capsys.readouterr().err

"""``qipo-ray export``: files that act like the policy, or no file."""

from __future__ import annotations

import io
import json
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


def expected(results: Path) -> np.ndarray:
    run = only_run(results)
    return CheckpointPolicy(run.config, run.state())(*map(torch.from_numpy, INPUTS)).numpy()


def metadata(results: Path) -> dict[str, Any]:
    """The metadata that an exported file must have."""
    record = only_run(results).record
    return {
        "task": "point", "record": record["id"], "method": record["label"]["method"],
        "seed": "0", "state_dim": "2", "action_dim": "2", "noise_dim": "2",
        "data_source": "generated", "qipo_ray": __version__,
    }  # fmt: skip


def check_pt2(results: Path, path: Path) -> None:
    extra = {"qipo_ray.json": ""}
    data = io.BytesIO(path.read_bytes())
    run = torch.export.load(data, extra_files=extra).module()
    assert json.loads(extra["qipo_ray.json"]) == metadata(results)
    assert run(*map(torch.from_numpy, INPUTS)).numpy() == pytest.approx(
        expected(results), abs=1e-5, rel=1e-5
    )


@pytest.mark.slow
def test_a_pt2_file_acts_like_the_policy(
    point_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policy.pt2"
    assert main(["export", str(point_run), str(path), "--best"]) == 0
    printed = capsys.readouterr().err
    assert "on 64 drawn inputs its actions differ from the original's by at most 0" in printed
    assert "arning" not in printed
    check_pt2(point_run, path)
    assert [file.name for file in tmp_path.iterdir()] == ["policy.pt2"]


def test_a_file_that_acts_otherwise_is_not_written(
    point_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = only_run(point_run)
    policy = CheckpointPolicy(run.config, run.state())

    def shifted(_: bytes) -> export_module.PolicyFunction:
        return lambda observations, noise: policy(observations, noise) + 2e-4

    monkeypatch.setitem(export_module.FORMATS, ".pt2", (lambda *_: b"data", shifted))
    assert main(["export", str(point_run), str(tmp_path / "policy.pt2")]) == 2
    assert "differs from the original by 0.0002" in capsys.readouterr().err
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

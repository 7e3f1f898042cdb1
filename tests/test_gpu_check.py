"""The prepared check of a GPU runs to its end on a CPU, by the same code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gpu.py"


def check(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    command = [sys.executable, str(SCRIPT), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow
def test_every_row_is_measured_and_written(tmp_path: Path) -> None:
    done = check("--device", "cpu", "--small", "--seconds", "0.05", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    raw = json.loads((tmp_path / "gpu.json").read_text())
    assert raw["mixed"] <= 1e-4 and raw["support"] > 0
    assert raw["killed"] == {"killed": True, "code": 0, "records": 1}
    assert raw["policy, 16 in a pack, eager"] > 0 and raw["projection"].keys() == {
        "behaviour", "critic", "policy", "support actions",
    }  # fmt: skip
    table = (tmp_path / "gpu.md").read_text()
    assert all(line.split(":")[0] in table for line in done.stdout.splitlines())


@pytest.mark.slow  # it imports torch in a process of its own
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_is_one_line(tmp_path: Path) -> None:
    done = check("--output", str(tmp_path))
    assert done.returncode == 1 and not list(tmp_path.iterdir())
    assert done.stderr.count("\n") == 1 and "error: --device cuda: torch" in done.stderr

"""Actions of a user's own task, in the unit of its environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from qipo_ray.data.tasks import OwnTask, Task
from qipo_ray.deploy.finished_run import FinishedRun, only_run
from qipo_ray.deploy.task_units import final_policy
from qipo_ray.study.task_file import read_task
from qipo_ray.train.checkpoint_policy import CheckpointPolicy


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str], OwnTask]:
    def read(actions: str) -> OwnTask:
        path = tmp_path / "task.yaml"
        path.write_text(
            "task: t\nenvironment: none\nhorizon: 9\nreferences: raw\n" + f"actions: {actions}\n"
        )
        task = read_task(path)
        assert task.own is not None
        return task.own

    return read


def test_actions_are_scaled_and_within_their_bounds(
    point_run: Path, own: Callable[[str], OwnTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = only_run(point_run)
    plain = final_policy(run)
    assert type(plain) is CheckpointPolicy  # a task of the table
    draws = torch.Generator().manual_seed(0)
    observations, noise = (torch.randn(500, 2, generator=draws) for _ in range(2))
    with torch.no_grad():
        expected = plain(observations, noise).clamp(-1, 1)
        for actions, low, high in (
            ("[-2, 2]", [-2.0, -2.0], [2.0, 2.0]),
            ("[[0.1, -3], [0.7, 5]]", [0.1, -3.0], [0.7, 5.0]),
        ):
            task: Task = replace(run.task, own=own(actions))
            monkeypatch.setattr(FinishedRun, "task", property(lambda self, task=task: task))
            scaled = final_policy(run)(observations, noise)
            ends = torch.tensor(low), torch.tensor(high)
            assert torch.allclose(
                scaled, ends[0] + (expected + 1) / 2 * (ends[1] - ends[0]), atol=1e-5
            )
            assert bool((scaled >= ends[0]).all() and (scaled <= ends[1]).all())

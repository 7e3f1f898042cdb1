"""When a sweep will end, reckoned from what its jobs have cost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from qipo_ray.config import load_config
from qipo_ray.study.job import CheckpointRef
from qipo_ray.study.job_events import JobEvent
from qipo_ray.sweep.sweep_progress import OVERHEAD, SweepProgress


def search(ended: int, left: int) -> Any:
    """What the reckoning reads of a search: 4 trials, paper's form and one best of each path."""
    spec = SimpleNamespace(
        top=1, paper=object(), tasks=("point",), report_seeds=(1, 2), search_seeds=(0,), trials=4,
        base=load_config("quickstart"), baselines=(),
    )  # fmt: skip
    return SimpleNamespace(
        spec=spec, trials_left=left, trials=dict.fromkeys(range(4 - left)), outcomes=range(ended)
    )


def ended(stage: str, key: str, seconds: float) -> JobEvent:
    return JobEvent("finished", CheckpointRef(stage, key, 10), 10, seconds)


def test_the_rest_is_expected_to_cost_what_the_first_part_did() -> None:
    progress = SweepProgress(slots=2)
    assert progress.seconds_left(search(0, 4)) is None
    progress.take([ended("behaviour", "a", 4.0), ended("critic", "b", 6.0)])
    assert progress.seconds_left(search(0, 4)) is None  # no policy has ended yet
    progress.take([ended("policy", "c", 10.0)])
    # one trial ended, three to come; 3 configurations on 2 report seeds of 20 s each
    assert progress.seconds_left(search(1, 3)) == pytest.approx(OVERHEAD * (30 + 120) / 2)
    assert progress.share(search(1, 3)) == pytest.approx(1 / (4 + 6))


def test_in_the_confirm_step_the_jobs_are_known() -> None:
    progress = SweepProgress(slots=1)
    progress.take([ended("behaviour", "a", 4.0), ended("critic", "b", 6.0)])
    progress.take([ended("policy", "c", 10.0)])
    jobs: Any = [
        SimpleNamespace(snapshot=CheckpointRef(stage, key, 10))
        for stage, key in (("behaviour", "x"), ("policy", "y"), ("policy", "z"))
    ]
    progress.begin_confirm(jobs)
    assert progress.seconds_left(search(4, 0)) == pytest.approx(OVERHEAD * 24)
    progress.take([ended("policy", "y", 10.0)])
    assert progress.share(search(4, 0)) == pytest.approx((4 + 1) / (4 + 2))

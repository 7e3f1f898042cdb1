from __future__ import annotations

from collections.abc import Callable

import pytest

from qipo_ray.study.job import Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train.job_progress import Progress


def test_progress_counts_updates_and_expects_an_end(make_run: Callable[..., Run]) -> None:
    jobs = make_run().jobs  # 200, 200, 300 updates
    time = 0.0
    progress = Progress(jobs, [jobs[0].snapshot], 1, clock=lambda: time)
    assert progress.share == pytest.approx(200 / 700) and progress.seconds_left is None
    progress.note(JobEvent("progress", jobs[1].snapshot, 0, 0.0))
    time = 10.0
    progress.note(JobEvent("progress", jobs[1].snapshot, 100, 9.0))
    assert progress.share == pytest.approx(300 / 700)
    assert progress.seconds_left == pytest.approx(0.1 * (100 + 300))
    progress.note(JobEvent("diverged", jobs[1].snapshot, 150, 9.0))
    assert progress.share == pytest.approx(400 / 700)

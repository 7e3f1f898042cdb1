"""From the store to a logger: every step once, and long curves in windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from qipo_ray.config.evaluations import score_name
from qipo_ray.data.tasks import get_task
from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.study.job import Job, Run
from qipo_ray.tracking.loggers import LogRow
from qipo_ray.tracking.run_logger import POINTS, RunLogger
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.metrics import MetricsLog


class Store:
    """Puts into a results folder what training would."""

    def __init__(self, root: Path) -> None:
        self.artefacts = ArtefactStore(root)

    def train(self, job: Job, upto: int, seconds: float = 1.0) -> None:
        """Log metrics up to an update and save there."""
        folder = self.artefacts.folder(job.stage, job.key)
        attempt = self.artefacts.claim(job.stage, job.key)
        log = MetricsLog(folder, 10**9)
        before = max(self.artefacts.lengths(job.stage, job.key), default=0)
        for updates in range(before + 100, upto + 1, 100):
            log.append(updates, {"loss": float(updates)})
        self.artefacts.write(
            job.stage, job.key, upto, b"x%d" % upto, attempt=attempt, seconds=seconds
        )

    def score(self, job: Job, i: int, mean: float, std: float) -> None:
        """Write the i-th score of the job."""
        point = job.evaluations[i]
        score = {"updates": point.updates, "episodes": point.episodes, "mean": mean, "std": std}
        score |= {"normalised": mean * 2, "success": 0.5}
        name = score_name(job.config, point.updates, point.episodes)
        self.artefacts.write_sidecar(job.stage, job.key, name, score)


class Kept:
    """A logger that keeps what it is given."""

    def __init__(self) -> None:
        self.rows: list[LogRow] = []

    def write(self, rows: Sequence[LogRow]) -> None:
        self.rows += rows

    def close(self) -> None:
        """Nothing."""

    def curve(self, tag: str) -> list[tuple[int, float]]:
        return [(row.updates, row.values[tag]) for row in self.rows if tag in row.values]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_each_step_comes_once_in_any_number_of_syncs(
    make_run: Callable[..., Run], store: Store, tmp_path: Path
) -> None:
    run, logger = make_run(), Kept()
    behaviour, critic, policy = run.jobs
    view = RunLogger(run, JobStore(tmp_path), logger)
    view.sync()
    assert logger.rows == []
    store.train(behaviour, 100)
    view.sync()
    store.train(behaviour, 200, seconds=3.0)
    store.score(behaviour, 0, mean=1.0, std=0.0)
    store.train(policy, 100)
    store.score(policy, 0, mean=2.0, std=0.0)
    view.sync()
    view.sync()
    view.close()
    assert logger.curve("behaviour/loss") == [(100, 100.0), (200, 200.0)]
    assert logger.curve("behaviour/updates_per_s") == [(100, 100.0), (200, 50.0)]
    assert logger.curve("score/normalised") == [(0, 2.0), (100, 4.0)]
    totals = [row.total for row in logger.rows]
    assert totals == sorted(totals) and totals[-1] == behaviour.length + critic.length + 100
    again = Kept()
    RunLogger(run, JobStore(tmp_path), again).close()
    assert again.curve("behaviour/loss") == logger.curve("behaviour/loss")


def test_the_interval_is_that_of_the_mean_over_episodes(
    make_run: Callable[..., Run], store: Store, tmp_path: Path
) -> None:
    run, logger, task = make_run(), Kept(), get_task("point")
    store.score(run.jobs[2], 0, mean=-10.0, std=4.0)
    RunLogger(run, JobStore(tmp_path), logger).close()
    ((_, low),), ((_, high),) = logger.curve("score/low"), logger.curve("score/high")
    # 3 episodes of population std 4: sample std 4 sqrt(3/2), error of the mean that / sqrt(3)
    error = 1.96 * 4 * (3 / 2) ** 0.5 / 3**0.5
    scale = 100 / (task.ref_max - task.ref_min)
    assert high - low == pytest.approx(2 * error * scale, rel=1e-12)
    assert (low + high) / 2 == pytest.approx((-10 - task.ref_min) * scale, rel=1e-12)


def test_a_long_stage_is_told_in_means_over_windows(
    make_run: Callable[..., Run], store: Store, tmp_path: Path
) -> None:
    """250,100 updates at one row per 100: windows of six rows, then the rest."""
    run, logger = make_run("behaviour.updates=250100"), Kept()
    store.train(run.jobs[0], 250_100)
    RunLogger(run, JobStore(tmp_path), logger).close()
    curve = logger.curve("behaviour/loss")
    assert len(curve) <= POINTS + 1
    assert curve[:2] == [(600, 350.0), (1200, 950.0)]
    assert curve[-1] == (250_100, 249_900.0)

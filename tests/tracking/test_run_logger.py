"""From the store to TensorBoard: every step once, light curves, pages that read back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout

from qipo_ray.config import Config
from qipo_ray.config.evaluations import score_name
from qipo_ray.data.tasks import get_task
from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.study.job import Job, Run
from qipo_ray.tracking.loggers import LoggedRun, LogRow
from qipo_ray.tracking.run_logger import POINTS, RunLogger
from qipo_ray.tracking.tensorboard_logger import LAYOUT, Page, TensorBoardLogger, settings_table
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
        """Put down the i-th score that the job is to get."""
        one = job.evaluations[i]
        score = {"updates": one.updates, "episodes": one.episodes, "mean": mean, "std": std}
        score |= {"normalised": mean * 2, "success": 0.5}
        name = score_name(job.config, one.updates, one.episodes)
        self.artefacts.write_note(job.stage, job.key, name, score)


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
def make(configure: Callable[..., Config]) -> Callable[..., Run]:
    """A run whose data nobody reads."""
    return lambda *changes: Run("point", configure(*changes), 0, "nowhere.hdf5", "a" * 64)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_each_step_comes_once_in_any_number_of_syncs(
    make: Callable[..., Run], store: Store, tmp_path: Path
) -> None:
    run, logger = make(), Kept()
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
    make: Callable[..., Run], store: Store, tmp_path: Path
) -> None:
    run, logger, task = make(), Kept(), get_task("point")
    store.score(run.jobs[2], 0, mean=-10.0, std=4.0)
    RunLogger(run, JobStore(tmp_path), logger).close()
    ((_, low),), ((_, high),) = logger.curve("score/low"), logger.curve("score/high")
    # 3 episodes of population std 4: sample std 4 sqrt(3/2), error of the mean that / sqrt(3)
    error = 1.96 * 4 * (3 / 2) ** 0.5 / 3**0.5
    scale = 100 / (task.ref_max - task.ref_min)
    assert high - low == pytest.approx(2 * error * scale, rel=1e-12)
    assert (low + high) / 2 == pytest.approx((-10 - task.ref_min) * scale, rel=1e-12)


def test_a_long_stage_is_told_in_means_over_windows(
    make: Callable[..., Run], store: Store, tmp_path: Path
) -> None:
    """250,100 updates at one row per 100: windows of six rows, then the rest."""
    run, logger = make("behaviour.updates=250100"), Kept()
    store.train(run.jobs[0], 250_100)
    RunLogger(run, JobStore(tmp_path), logger).close()
    curve = logger.curve("behaviour/loss")
    assert len(curve) <= POINTS + 1
    assert curve[:2] == [(600, 350.0), (1200, 950.0)]
    assert curve[-1] == (250_100, 249_900.0)


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_event_files_are_read_back_with_the_configuration(
    make: Callable[..., Run], store: Store, tmp_path: Path
) -> None:
    run = make()
    shown = LoggedRun(tmp_path, ("point", "tiny", "seed-0"), run)
    store.train(run.jobs[0], 200)
    for _ in range(2):  # the second time as after a resume
        RunLogger(run, JobStore(tmp_path), TensorBoardLogger(shown)).close()
    events = read(tmp_path / "tensorboard" / "point" / "tiny" / "seed-0")
    assert [(e.step, e.value) for e in events.Scalars("behaviour/loss")] == [
        (100, 100.0),
        (200, 200.0),
    ]
    (text,) = events.Tensors("configuration/text_summary")
    assert b"| behaviour.width | `16` |" in text.tensor_proto.string_val[0]


def test_mean_q_is_described_as_no_success_once(make: Callable[..., Run], tmp_path: Path) -> None:
    logger = TensorBoardLogger(LoggedRun(tmp_path, ("point", "tiny", "seed-0"), make()))
    for updates in (100, 200):
        logger.write([LogRow(updates, updates, {"policy/support_q": 1.0, "policy/ess": 2.0})])
    events = read(tmp_path / "tensorboard" / "point" / "tiny" / "seed-0")
    told = events.SummaryMetadata("policy/support_q").summary_description
    assert "rises even where the score falls" in told
    assert [e.value for e in events.Scalars("policy/support_q")] == [1.0, 1.0]
    assert logger.events.path.read_bytes().count(b"rises even where") == 1


def test_the_layout_is_one_page_whose_charts_name_tags_that_exist(
    make: Callable[..., Run], store: Store, tmp_path: Path
) -> None:
    for _ in range(2):
        Page(tmp_path / "tensorboard")
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1
    (tensor,) = read(tmp_path / "tensorboard").Tensors("custom_scalars__config__")
    categories = Layout.FromString(tensor.tensor_proto.string_val[0]).category
    titles = {one.title: [chart.title for chart in one.chart] for one in categories}
    assert titles == {name: list(charts) for name, charts in LAYOUT.items()}
    margin = categories[0].chart[0].margin.series[0]
    assert (margin.value, margin.lower, margin.upper) == (
        "score/normalised",
        "score/low",
        "score/high",
    )


def test_settings_are_a_table() -> None:
    settings: dict[str, Any] = {"policy.beta": 3.0, "sampler.clip": True}
    assert settings_table(settings).splitlines()[2:] == [
        "| policy.beta | `3.0` |",
        "| sampler.clip | `True` |",
    ]

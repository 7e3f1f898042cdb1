"""Tiny runs on the `point` task: real data, real simulator, seconds of training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qipo_ray.config import Config, load_config
from qipo_ray.data.load import load
from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import Dataset
from qipo_ray.evaluation.generate import generate
from qipo_ray.train.graph import JobGraph
from qipo_ray.train.job import Run
from qipo_ray.train.local import execute
from qipo_ray.train.report import Report
from qipo_ray.train.results import Results

TINY = (
    "behaviour.width=16",
    "behaviour.blocks=1",
    "behaviour.updates=200",
    "critic.width=16",
    "critic.layers=2",
    "critic.updates=200",
    "critic.returns_updates=100",
    "critic.support_size=3",
    "critic.pool=200",
    "policy.support_size=4",
    "policy.pool=100",
    "policy.rounds=2",
    "policy.renew_every=150",
    "sampler.evaluations=4",
    "evaluation.every=100",
    "evaluation.episodes=3",
    "evaluation.final_episodes=5",
)


@pytest.fixture(scope="session")
def configure() -> Callable[..., Config]:
    """A tiny configuration with changes."""
    return lambda *changes: load_config("quickstart", [*TINY, *changes])


@pytest.fixture(scope="session")
def point(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The generated `point` data, 2,000 rows."""
    path = generate("point", tmp_path_factory.mktemp("data") / "point.hdf5", rows=2000)
    return load(get_task("point").id, path)


@pytest.fixture(scope="session")
def make_run(point: Dataset, configure: Callable[..., Config]) -> Callable[..., Run]:
    """A run of a tiny configuration with changes."""

    def make(*changes: str, seed: int = 0) -> Run:
        return Run("point", configure(*changes), seed, str(point.path), point.sha256)

    return make


@pytest.fixture(scope="session")
def train() -> Callable[..., list[Report]]:
    """Train the first stages of a run under a root, in this process; returns the reports."""

    def execute_stages(root: Path, run: Run, stages: int = 2) -> list[Report]:
        graph = JobGraph(Results(root))
        for job in run.jobs[:stages]:
            graph.add(job, "run")
        reports: list[Report] = []
        execute(graph, root, 1, reports.append)
        return reports

    return execute_stages


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory,
    train: Callable[..., list[Report]],
    make_run: Callable[..., Run],
) -> Path:
    """The first two stages of a tiny run."""
    root = tmp_path_factory.mktemp("trained")
    train(root, make_run())
    return root


@pytest.fixture
def run(make_run: Callable[..., Run]) -> Run:
    """The run whose first two stages are in ``trained``."""
    return make_run()


@pytest.fixture
def snapshot_bytes() -> Callable[[Path], dict[str, bytes]]:
    """The last snapshot of every job, those with a score, metrics and scores, by place.

    Other snapshots are left out: which ones are there depends on the clock.
    """
    return _snapshot_bytes


def _snapshot_bytes(root: Path) -> dict[str, bytes]:
    found = {}
    for folder in sorted(root.glob("artefacts/*")):
        for path in (*folder.glob("*.csv"), *folder.glob("note-*")):
            found[f"{folder.name}/{path.name}"] = path.read_bytes()
        snapshots = {path.name.split("-")[0]: path for path in folder.glob("*.pt")}
        scored = {path.name.split("-")[2] for path in folder.glob("note-score-*")}
        for updates in {*scored.intersection(snapshots), max(snapshots)}:
            found[f"{folder.name}/{updates}"] = snapshots[updates].read_bytes()
    return found

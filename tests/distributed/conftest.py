"""Tiny runs on `point`, and one Ray cluster for all tests that need one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qipo_ray.config import load_config
from qipo_ray.data.load import load
from qipo_ray.data.transitions import Dataset
from qipo_ray.distributed.cluster import SETTINGS
from qipo_ray.evaluation.generate import generate
from qipo_ray.study.job import Run

TINY = (
    "behaviour.width=16",
    "behaviour.blocks=1",
    "behaviour.updates=200",
    "critic.width=16",
    "critic.layers=2",
    "critic.updates=100",
    "critic.returns_updates=100",
    "critic.support_size=3",
    "critic.pool=200",
    "policy.support_size=4",
    "policy.pool=100",
    "policy.rounds=2",
    "policy.renew_every=50",
    "sampler.evaluations=4",
    "evaluation.every=50",
    "evaluation.episodes=3",
    "evaluation.final_episodes=5",
)


@pytest.fixture(scope="session")
def point(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The generated `point` data, 2,000 rows."""
    return load("point", generate("point", tmp_path_factory.mktemp("data") / "p.hdf5", rows=2000))


@pytest.fixture(scope="session")
def make_run(point: Dataset) -> Callable[..., Run]:
    """A run of a tiny configuration with changes."""

    def make(*changes: str, seed: int = 0) -> Run:
        config = load_config("quickstart", [*TINY, *changes])
        return Run("point", config, seed, str(point.path), point.sha256)

    return make


@pytest.fixture(scope="session")
def cluster(private_home: None) -> Iterator[None]:
    """A Ray cluster with three CPUs and a GPU on paper, whatever the machine has."""
    import ray

    os.environ.update(SETTINGS)
    room = {"num_cpus": 3, "num_gpus": 1}
    ray.init(address="local", **room, include_dashboard=True, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def results_of() -> Callable[[Path, Run], dict[str, str]]:
    """What a run's jobs made under a results folder: the hash of each final snapshot."""
    from qipo_ray.store.artefacts import ArtefactStore

    def results(root: Path, run: Run) -> dict[str, str]:
        store, found = ArtefactStore(root), {}
        for job in run.jobs:
            artefact = store.find(job.stage, job.key, job.length)
            assert artefact is not None, f"{job.stage} has no snapshot"
            found[job.stage] = artefact.sha256
        return found

    return results


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle worker's call of the broker waits for no job."""
    from qipo_ray.distributed import broker

    monkeypatch.setattr(broker, "IDLE_S", 0.0)

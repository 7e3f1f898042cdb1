"""What a few updates tell of a run's cost: sizes exactly, seconds within a wide margin."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from qipo_ray.config import load_config
from qipo_ray.data.load import load
from qipo_ray.data.transitions import Dataset
from qipo_ray.evaluation.generate import generate
from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.study.job import Run
from qipo_ray.train.dataset import tensors_of
from qipo_ray.train.machine import cpu_seconds
from qipo_ray.train.probe import Span, probe
from qipo_ray.train.runner import JobRunner
from qipo_ray.train.signals import SignalMeter

pytestmark = pytest.mark.slow
SMALL = [
    "behaviour.width=32", "behaviour.updates=150", "critic.width=32", "critic.updates=200",
    "critic.returns_updates=100", "critic.pool=0", "policy.rounds=3", "policy.renew_every=50",
    "policy.pool=400", "sampler.evaluations=4", "evaluation.final_episodes=4",
]  # fmt: skip


@pytest.fixture(scope="module")
def point(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = generate("point", tmp_path_factory.mktemp("data") / "point.hdf5", rows=1500)
    return load("point", path)


def run_of(point: Dataset, *changes: str) -> Run:
    config = load_config("quickstart", [*SMALL, *changes])
    return Run("point", config, 0, str(point.path), point.sha256)


def test_a_probe_foresees_what_training_takes(point: Dataset, tmp_path: Path) -> None:
    run = run_of(point, "evaluation.signals=fqe", "evaluation.fqe_updates=100")
    cost = probe(run, "cpu")
    assert cost.stages.keys() == {"behaviour", "critic", "policy"}
    runner, store = JobRunner(tmp_path), ArtefactStore(tmp_path)
    for job in run.jobs:
        events = runner.admit(job)
        while not events[-1].ended:
            events = runner.step()
        info = store.find(job.stage, job.key, job.length)
        assert info is not None and info.cpu_seconds is not None
        stage = cost.stages[job.stage]
        assert abs(stage.bytes - info.bytes) < 0.02 * info.bytes
        expected = stage.update * job.length
        assert expected.low / 3 < info.cpu_seconds < 3 * expected.high
    assert 0 < cost.step.low < cost.step.high < 0.01
    (policy,) = run.jobs[-1:]
    state, data = runner.job_store.state(policy.snapshot), tensors_of(policy, torch.device("cpu"))
    begun = cpu_seconds()
    SignalMeter(runner.job_store).signals(policy, state, data)
    assert cost.signals.low / 3 < cpu_seconds() - begun < 3 * cost.signals.high


def test_sets_of_support_actions_are_counted_along_the_course(point: Dataset) -> None:
    """With a thousand rounds in as many updates an update costs more; nothing is trained so."""
    few = probe(run_of(point, "policy.rounds=1", "policy.renew_every=2000"), "cpu")
    often = probe(run_of(point, "policy.rounds=1000", "policy.renew_every=2"), "cpu")
    assert often.stages["policy"].update.low > 2 * few.stages["policy"].update.high


def test_spans_add_and_join() -> None:
    assert Span(1, 2) + Span(3, 4) == Span(4, 6) == Span(2, 3) * 2
    assert Span(1, 2) | Span(0.5, 1) == Span(0.5, 2)

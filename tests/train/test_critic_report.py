"""The critic report in a run: kept once, the same after a kill, in the record and in curves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from qipo_ray.agent.critic_report import ACTIONS, Judge
from qipo_ray.agent.pack import stream
from qipo_ray.config import Config
from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import Dataset
from qipo_ray.train import host as host_module
from qipo_ray.train.critic_report import BestByQ, lines_of, scalars_of, score_best_by_q
from qipo_ray.train.graph import JobGraph
from qipo_ray.train.job import Run
from qipo_ray.train.local import execute
from qipo_ray.train.policy import SnapshotPolicy
from qipo_ray.train.record import Occasion, build_record
from qipo_ray.train.report import Report
from qipo_ray.train.results import Results

OCCASION = Occasion("train", None, "single", "tiny", "qipo-ray", "2026-01-01T00:00:00+00:00")
REPORT: dict[str, Any] = {
    "updates": 200, "rows": 512, "actions": 16, "action_std": 0.25, "q_std": 2.0,
    "disagreement": 1.0, "error": 8.0, "correlation": None, "q_mean": 70.0, "return_mean": None,
    "return_std": None, "warnings": ["little to select by: this"],
    "best_of": {"normalised": 31.5},
}  # fmt: skip


class Stop(Exception):
    """Breaks a job off."""


def train(root: Path, run: Run, stages: int = 2) -> list[Report]:
    graph = JobGraph(Results(root))
    for job in run.jobs[:stages]:
        graph.add(job, "run")
    reports: list[Report] = []
    execute(graph, root, 1, reports.append)
    return reports


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trained")


@pytest.fixture
def run(make_run: Callable[..., Run], trained: Path) -> Run:
    """A run whose first two stages are in ``trained``."""
    made = make_run()
    train(trained, made)
    return made


def test_the_report_and_the_greedy_score_stand_beside_the_critic(run: Run, trained: Path) -> None:
    critic = run.jobs[1]
    report = Results(trained).critic_report(critic)
    assert report is not None and report["updates"] == 200 and report["rows"] == 512
    assert report["best_of"]["episodes"] == 3 and report["q_std"] > 0
    behaviour, state = (Results(trained).state(job.snapshot) for job in run.jobs[:2])
    again = score_best_by_q(get_task("point"), run.config, behaviour, state, 3)
    assert again == report["best_of"]
    assert Results(trained).critic_report(run.jobs[0]) is None


def test_a_search_goes_without_the_greedy_score(
    make_run: Callable[..., Run], run: Run, trained: Path
) -> None:
    searched = Run("point", run.config, 0, run.data, run.data_sha256, rungs=(150, 300))
    critic = searched.jobs[1]
    assert critic.key == run.jobs[1].key and critic.evaluations == ()
    report = Results(trained).critic_report(critic)
    assert report is not None and report["best_of"] is None


def test_broken_off_before_the_report_it_is_the_same_afterwards(
    run: Run, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights are saved, the report is not: the job counts as not done, and gets it."""

    def stop(*arguments: object) -> None:
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(host_module, "critic_report", stop)
        with pytest.raises(Stop):
            train(tmp_path, run)
    results = Results(tmp_path)
    assert results.artefacts.lengths("critic", run.jobs[1].key) == [200]
    assert not results.done(run.jobs[1])
    reports = train(tmp_path, run)
    assert {r.updates for r in reports if r.snapshot.stage == "critic"} == {200}
    assert results.critic_report(run.jobs[1]) == Results(trained).critic_report(run.jobs[1])
    assert train(tmp_path, run) == []


def test_the_best_by_q_is_taken_of_what_the_behaviour_proposes(run: Run, trained: Path) -> None:
    behaviour, critic = (Results(trained).state(job.snapshot) for job in run.jobs[:2])
    observations = np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2)
    live = np.array([0, 2, 3])
    chosen = BestByQ(run.config, behaviour, critic, 4)(observations, live)
    # Episode 1 has ended: the others' draws are those of four episodes all the same.
    noise = torch.randn(4, ACTIONS, 2, generator=stream(0, "evaluation", "actions"))[live]
    policy, judge = SnapshotPolicy(run.config, behaviour), Judge(run.config, critic)
    mean, scale = (critic["normaliser"][name].numpy() for name in ("mean", "scale"))
    for i in range(3):
        proposed = policy(torch.from_numpy(observations[i]).expand(ACTIONS, -1), noise[i])
        state = torch.from_numpy((observations[i] - mean) / scale).clamp(-10, 10)
        q = [min(judge.twins(state[None], a[None, None]).flatten().tolist()) for a in proposed]
        np.testing.assert_allclose(chosen[i], proposed[int(np.argmax(q))].numpy(), atol=1e-5)


def test_the_record_holds_the_report_and_the_cpu_seconds(
    point: Dataset, configure: Callable[..., Config], run: Run, trained: Path
) -> None:
    train(trained, run, stages=3)
    record = build_record(run, point, Results(trained), OCCASION)
    assert record["critic_report"] == Results(trained).critic_report(run.jobs[1])
    assert record["protocol"]["selection_episodes"] == 0
    cost = record["cost"]
    assert 0 < cost["cpu_s"] <= 1.5 * (cost["device_s"] + cost["reused_s"]) + 1


def test_cpu_seconds_go_on_after_a_stop_and_stay_unknown_where_they_were(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    job = make_run(seed=9).jobs[0]
    host = host_module.Host(tmp_path)
    host.admit(job)
    host.step(50)
    host.stop(job.key)
    artefacts = Results(tmp_path).artefacts
    first = artefacts.find(job.stage, job.key, 50)
    assert first is not None and first.cpu_seconds is not None and first.cpu_seconds > 0
    host.admit(job)
    host.step(50)
    assert host.active[job.key].cpu_seconds > first.cpu_seconds  # type: ignore[operator]
    host.active[job.key].cpu_seconds = None  # as of a snapshot that an older version wrote
    host.stop(job.key)
    host.admit(job)
    host.step(50)
    assert host.active[job.key].cpu_seconds is None


def test_words_and_curves_leave_out_what_is_not_known() -> None:
    first, warning = lines_of(REPORT)
    assert first.startswith("Q between actions of a state ± 2 (0.25 of its error), twins differ")
    assert "correlation ?, mean 70 for ?" in first and first.endswith("best of 16: 31.5")
    assert warning == "warning: little to select by: this"
    curves = scalars_of(REPORT)
    assert curves["critic_report/best_of"] == 31.5 and curves["critic_report/q_std"] == 2.0
    assert "critic_report/correlation" not in curves
    (line, _) = lines_of({**REPORT, "best_of": None, "error": None})
    assert "best of" not in line and "of its error" not in line
    assert "critic_report/best_of" not in scalars_of({**REPORT, "best_of": None})

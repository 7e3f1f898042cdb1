"""Reports in a run: kept once, the same after a kill, in the record, in words and in curves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.config import STAGES
from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import Dataset
from qipo_ray.store.records import validate
from qipo_ray.study.job import Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train import runner as runner_module
from qipo_ray.train.best_by_q import score_best_by_q
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.metrics import read_metrics
from qipo_ray.train.run_record import RunContext, build_record
from qipo_ray.train.stage_reports import lines_of, scalars_of

Train = Callable[..., list[JobEvent]]
CONTEXT = RunContext("train", None, "single", "tiny", "qipo-ray", "2026-01-01T00:00:00+00:00")
REPORT: dict[str, Any] = {
    "updates": 200, "rows": 512, "actions": 16, "action_std": 0.25, "q_std": 2.0,
    "disagreement": 1.0, "error": 8.0, "correlation": None, "q_mean": 70.0, "return_mean": None,
    "return_std": None, "warnings": ["little to select by: this"],
    "best_of": {"normalised": 31.5},
}  # fmt: skip


class Stop(Exception):
    """Breaks a job off."""


def test_the_report_and_the_greedy_score_stand_beside_the_critic(run: Run, trained: Path) -> None:
    critic = run.jobs[1]
    report = JobStore(trained).report(critic)
    assert report is not None and report["updates"] == 200 and report["rows"] == 512
    assert report["best_of"]["episodes"] == 3 and report["q_std"] > 0
    behaviour, state = (JobStore(trained).state(job.snapshot) for job in run.jobs[:2])
    again = score_best_by_q(get_task("point"), run.config, behaviour, state, 3)
    assert again == report["best_of"]
    assert JobStore(trained).report(run.jobs[0]) is None


def test_a_search_goes_without_the_greedy_score(
    make_run: Callable[..., Run], run: Run, trained: Path
) -> None:
    searched = Run("point", run.config, 0, run.data, run.data_sha256, rungs=(150, 300))
    critic = searched.jobs[1]
    assert critic.key == run.jobs[1].key and critic.evaluations == ()
    report = JobStore(trained).report(critic)
    assert report is not None and report["best_of"] is None


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["critic", "policy"])
def test_broken_off_before_the_report_it_is_the_same_afterwards(
    stage: str,
    train: Train,
    run: Run,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The weights are saved, the report is not: the job counts as not done, and gets it."""

    def stop(*arguments: object) -> None:
        raise Stop

    stages = STAGES.index(stage) + 1
    job = run.jobs[stages - 1]
    with monkeypatch.context() as patch:
        patch.setattr(runner_module, f"{stage}_report", stop)
        with pytest.raises(Stop):
            train(tmp_path, run, stages)
    results = JobStore(tmp_path)
    assert results.artefacts.lengths(stage, job.key)[-1] == job.length
    assert not results.done(job)
    reports = train(tmp_path, run, stages)
    assert {r.updates for r in reports if r.snapshot.stage == stage} == {job.length}
    train(trained, run, stages)
    assert results.report(job) == JobStore(trained).report(job)
    assert train(tmp_path, run, stages) == []


@pytest.mark.slow
def test_a_policys_report_is_of_the_weights_that_are_scored(
    train: Train, make_run: Callable[..., Run], run: Run, trained: Path
) -> None:
    train(trained, run, 3)
    averaged = make_run("evaluation.weights=ema")
    assert averaged.jobs[2].key == run.jobs[2].key
    results = JobStore(trained)
    assert results.report(averaged.jobs[2]) is None and not results.done(averaged.jobs[2])
    train(trained, averaged, 3)
    one, other = (results.report(made.jobs[2]) for made in (run, averaged))
    assert one is not None and other is not None and one["updates"] == other["updates"] == 300
    assert one["q_best"] == other["q_best"] and one["drift"] != other["drift"]


@pytest.mark.slow
def test_the_record_holds_the_report_and_the_cpu_seconds(
    train: Train, point: Dataset, run: Run, trained: Path
) -> None:
    train(trained, run, 3)
    results = JobStore(trained)
    record = build_record(run, point, results, CONTEXT)
    validate(record)
    assert record["critic_report"] == results.report(run.jobs[1]) is not None
    assert record["policy_report"] == results.report(run.jobs[2]) is not None
    for job in run.jobs:
        last = read_metrics(results.artefacts.folder(job.stage, job.key))[-1]
        assert record["health"][job.stage] == last and last["updates"] == job.length
    assert record["health"]["policy"]["ess"] > 1 and record["health"]["critic"]["grad_norm"] > 0
    pruned = build_record(run, point, results, CONTEXT, state="pruned", reached=150)
    assert pruned["policy_report"] is None and pruned["health"]["policy"]["updates"] == 100
    validate(pruned)
    assert record["protocol"]["selection_episodes"] == 0
    cost = record["cost"]
    assert 0 <= cost["latency_load"] < 1000
    assert 0 < cost["cpu_s"] <= 1.5 * (cost["device_s"] + cost["reused_s"]) + 1


def test_cpu_seconds_go_on_after_a_stop_and_stay_unknown_where_they_were(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    job = make_run(seed=9).jobs[0]
    runner = runner_module.JobRunner(tmp_path)
    runner.admit(job)
    runner.step(50)
    runner.stop(job.key)
    artefacts = JobStore(tmp_path).artefacts
    first = artefacts.find(job.stage, job.key, 50)
    assert first is not None and first.cpu_seconds is not None and first.cpu_seconds > 0
    runner.admit(job)
    runner.step(50)
    assert runner.active[job.key].cpu_seconds > first.cpu_seconds  # type: ignore[operator]
    runner.active[job.key].cpu_seconds = None  # as of a snapshot that an older version wrote
    runner.stop(job.key)
    runner.admit(job)
    runner.step(50)
    assert runner.active[job.key].cpu_seconds is None


def test_words_and_curves_leave_out_what_is_not_known() -> None:
    first, warning = lines_of("critic", REPORT)
    assert first.startswith("between actions of a state Q varies by ± 2 (0.25 of its error), its")
    assert (
        "with returns ?, mean Q 70, mean return ?; acting by the best of 16 scores 31.5" in first
    )
    assert warning == "warning: little to select by: this"
    curves = scalars_of("critic", REPORT)
    assert curves["critic_report/best_of"] == 31.5 and curves["critic_report/q_std"] == 2.0
    assert "critic_report/correlation" not in curves
    pairs = {"pairs": 3, "spread": 0.5, "advantage": 1.25, "deviation": None, "share": 0.875}
    (line, _) = lines_of("critic", {**REPORT, "agreement": pairs})
    assert line.endswith(
        "; 3 pairs differ by 0.5 (0.25 of what Q varies by); by 0.875 of them the best action "
        "beats the data's, by 1.25 ± ?"
    )
    curves = scalars_of("critic", {**REPORT, "agreement": pairs})
    assert curves["critic_report/pairs_share"] == 0.875
    assert "critic_report/pairs_deviation" not in curves
    (line, _) = lines_of("critic", {**REPORT, "best_of": None, "error": None})
    assert "best of" not in line and "of its error" not in line
    assert "critic_report/best_of" not in scalars_of("critic", {**REPORT, "best_of": None})
    policy = {
        "updates": 300, "rows": 512, "actions": 16, "drift": 1.25, "action_std": 0.2,
        "q_mean": 8.0, "q_best": None, "q_std": 0.5, "warnings": ["beyond: that"],
    }  # fmt: skip
    first, warning = lines_of("policy", policy)
    assert first.startswith("distance from the clone 1.25 (1: as") and "best of 16 ? (" in first
    assert warning == "warning: beyond: that"
    curves = scalars_of("policy", policy)
    assert curves["policy_report/drift"] == 1.25 and "policy_report/q_best" not in curves

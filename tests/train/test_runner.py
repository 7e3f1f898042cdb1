"""The runner of jobs: saves, scores, goes on after kills bit for bit, and trains nothing twice."""

from __future__ import annotations

import math
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.tiny_runs import train_jobs
from torch import Tensor

from qipo_ray.agent import Diverged, PolicyPack
from qipo_ray.errors import UserError
from qipo_ray.study.job import Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train import memory
from qipo_ray.train import runner as runner_module
from qipo_ray.train.job_graph import JobGraph
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.metrics import MetricsLog, read_metrics
from qipo_ray.train.runner import JobRunner

Contents = Callable[[Path], dict[str, bytes]]


def train(root: Path, *runs: Run, processes: int = 1) -> list[JobEvent]:
    """Train runs and return all events."""
    return train_jobs(root, [job for run in runs for job in run.jobs], processes)


def ended(events: list[JobEvent]) -> list[tuple[str, int]]:
    """Return the jobs that were trained to their end, not found done."""
    trained = {event.snapshot for event in events if event.kind == "progress"}
    finished = [e.snapshot for e in events if e.kind == "finished" and e.snapshot in trained]
    return [(ref.stage, ref.updates) for ref in finished]


@pytest.mark.slow
def test_a_run_trains_its_stages_in_order_and_only_once(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    run = make_run()
    reports = train(tmp_path, run)
    assert ended(reports) == [("behaviour", 200), ("critic", 200), ("policy", 300)]
    scores = [(r.snapshot.stage, r.updates, r.score["episodes"]) for r in reports if r.score]
    assert scores == [
        ("behaviour", 200, 5), ("critic", 200, 3),
        ("policy", 100, 3), ("policy", 200, 3), ("policy", 300, 5),
    ]  # fmt: skip
    assert ended(train(tmp_path, run)) == []


@pytest.mark.slow
def test_equal_keys_are_trained_once(make_run: Callable[..., Run], tmp_path: Path) -> None:
    """Another beta shares behaviour and critic; another seed shares nothing."""
    reports = train(tmp_path, make_run(), make_run("policy.beta=1"), make_run(seed=1))
    stages = sorted(stage for stage, _ in ended(reports))
    assert stages == ["behaviour"] * 2 + ["critic"] * 2 + ["policy"] * 3


@pytest.mark.slow
def test_a_longer_job_continues_a_shorter_one(
    make_run: Callable[..., Run], tmp_path: Path, snapshot_bytes: Contents
) -> None:
    """Three rounds after two are one training, and end where three rounds at once end."""
    short, long = make_run("policy.rounds=2"), make_run("policy.rounds=3")
    assert short.jobs[2].key == long.jobs[2].key
    train(tmp_path / "a", short)
    reports = train(tmp_path / "a", long)
    assert ended(reports) == [("policy", 450)]
    assert min(r.updates for r in reports) == 300  # where the shorter one ended
    train(tmp_path / "b", long)
    one, other = snapshot_bytes(tmp_path / "a"), snapshot_bytes(tmp_path / "b")
    name = f"policy-{long.jobs[2].key}/000000450"
    assert one[name] == other[name]


@pytest.mark.slow
def test_a_score_between_snapshots_is_reached_again(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    """A job that is done, asked for an unknown earlier score, goes back and gets it."""
    train(tmp_path, make_run())
    again = make_run("evaluation.every=140")
    reports = train(tmp_path, again)
    scores = [r.updates for r in reports if r.kind == "score" and r.snapshot.stage == "policy"]
    assert scores == [140, 280]  # that at 300 is in the store


def _kill_at(root: Path, run: Run, count: int) -> None:
    """Train in a forked child that dies by SIGKILL at its report number ``count``."""
    pid = os.fork()
    if pid == 0:
        seen = 0

        def listen(report: JobEvent) -> None:
            nonlocal seen
            seen += 1
            if seen == count:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            train_jobs(root, run.jobs, on_event=listen)
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0


@pytest.mark.faults
def test_a_killed_run_ends_bit_for_bit_equal(
    make_run: Callable[..., Run], tmp_path: Path, snapshot_bytes: Contents
) -> None:
    """SIGKILL at three reports, checkpoints at marks alone; test_kills.py has many, anywhere."""
    run = make_run()
    train(tmp_path / "unbroken", run)
    for count in (2, 5, 4):
        _kill_at(tmp_path / "broken", run, count)
    train(tmp_path / "broken", run)
    assert snapshot_bytes(tmp_path / "broken") == snapshot_bytes(tmp_path / "unbroken")


@pytest.mark.slow
def test_processes_give_what_one_process_gives(
    make_run: Callable[..., Run],
    tmp_path: Path,
    snapshot_bytes: Contents,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """This process checkpoints at every step, the others by the clock."""
    runs = [make_run(seed=0), make_run(seed=1)]
    monkeypatch.setattr(runner_module, "SAVE_EVERY_S", 0.0)
    train(tmp_path / "one", *runs)
    train(tmp_path / "two", *runs, processes=2)
    assert snapshot_bytes(tmp_path / "one") == snapshot_bytes(tmp_path / "two")


@pytest.mark.faults
def test_a_damaged_snapshot_is_trained_again(
    make_run: Callable[..., Run], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run()
    train(tmp_path, run)
    (path,) = tmp_path.glob(f"artefacts/critic-{run.jobs[1].key}/*.pt")
    before = path.read_bytes()
    path.write_bytes(before[:-10] + b"\0" * 10)
    assert ended(train(tmp_path, run)) == [("critic", 200)]
    assert "bytes do not match the manifest" in caplog.text
    (path,) = tmp_path.glob(f"artefacts/critic-{run.jobs[1].key}/*.pt")
    assert path.read_bytes() == before


def test_divergence_is_known_and_not_tried_again(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    run = make_run()
    key = run.jobs[1].key
    results = JobStore(tmp_path)
    results.artefacts.write_sidecar("critic", key, "diverged", {"updates": 100, "reason": "inf"})
    reports = train(tmp_path, run)
    assert ended(reports) == [("behaviour", 200)]
    graph = JobGraph(results)
    for one in run.jobs:
        graph.add(one, "run")
    assert (
        graph.failure_reason(run.jobs[2].snapshot) == "inf"
    )  # the policy waits for a lost critic
    assert graph.left == []


def test_the_host_notes_a_divergence(make_run: Callable[..., Run], tmp_path: Path) -> None:
    runner = JobRunner(tmp_path)
    job = make_run().jobs[0]
    runner.admit(job)
    runner.engine._pack._stacks["online"].stack.flat.fill_(float("nan"))  # type: ignore[attr-defined]
    reports = runner.step()
    assert [r.kind for r in reports] == ["diverged"] and not runner.active
    note = JobStore(tmp_path).divergence(job)
    assert note is not None and note["updates"] == 100


def test_a_stopped_job_is_saved_and_goes_on(make_run: Callable[..., Run], tmp_path: Path) -> None:
    job = make_run().jobs[0]
    runner = JobRunner(tmp_path)
    runner.admit(job)
    runner.step(70)
    assert runner.stop(job.key).kind == "dropped" and not runner.active
    assert [r.updates for r in JobRunner(tmp_path).admit(job)] == [70]


@pytest.mark.slow
def test_metrics_stand_once_whatever_was_written(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    """Rows after the snapshot, and half a row, are forgotten when the job goes on."""
    run = make_run()
    train(tmp_path, run)
    folder = tmp_path / "artefacts" / f"policy-{run.jobs[2].key}"
    log = folder / "metrics.csv"
    whole = log.read_text()
    log.write_text(whole.splitlines()[0] + "\n100" + ",1" * 5)
    train(tmp_path, make_run("policy.rounds=3"))
    updates = [int(line.split(",")[0]) for line in log.read_text().splitlines()[1:]]
    assert updates == sorted(set(updates)) and updates[-1] == 400


@pytest.mark.slow
def test_a_set_that_does_not_fit_is_refused_and_harms_no_other(
    make_run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sets that are still to come count, too."""
    one, other = make_run(), make_run(seed=1)
    train_jobs(tmp_path, [run.jobs[0] for run in (one, other)])
    runner = JobRunner(tmp_path, slots=2)
    need = memory.support_needs(one.config, 2000, 2)["critic"]
    monkeypatch.setattr(memory, "_free", lambda device: need.bytes(1))
    runner.admit(make_run("critic.returns_updates=0").jobs[1])
    with pytest.raises(UserError, match=r"^critic support .*, 2 times, and .* are free on cpu: "):
        runner.admit(make_run("critic.returns_updates=0", seed=1).jobs[1])
    runner.step(10)
    assert [active.job.seed for active in runner.active.values()] == [0]
    runner.admit(make_run("critic.returns_updates=0", seed=1).jobs[1])  # the first set is there
    monkeypatch.setattr(memory, "_free", lambda device: 100)
    with pytest.raises(UserError, match="critic.pool to at most 0"):
        JobRunner(tmp_path).admit(make_run("critic.returns_updates=0", seed=0).jobs[1])


def test_other_data_under_the_same_path_is_refused(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    job = replace(make_run().jobs[0], data_sha256="0" * 64)
    with pytest.raises(UserError, match="changed since the run was planned"):
        JobRunner(tmp_path).admit(job)


@pytest.mark.faults
@pytest.mark.parametrize("place", ["_draws", "_loss_of", "_after"])
def test_an_interrupt_in_mid_update_leaves_no_torn_state(
    make_run: Callable[..., Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    snapshot_bytes: Contents,
    place: str,
) -> None:
    """Ctrl-C between the draws, the step and the averages: continued, the end is the same."""
    run = make_run()
    train(tmp_path / "unbroken", run)
    whole, calls = getattr(PolicyPack, place), 0

    def interrupted(pack: PolicyPack, *draws: Tensor) -> object:
        nonlocal calls
        calls += 1
        result = whole(pack, *draws)
        if calls == 137:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(PolicyPack, place, interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "broken", run)
    train(tmp_path / "broken", run)
    one, other = snapshot_bytes(tmp_path / "unbroken"), snapshot_bytes(tmp_path / "broken")
    assert (
        one[f"policy-{run.jobs[2].key}/000000300"] == other[f"policy-{run.jobs[2].key}/000000300"]
    )


@pytest.mark.faults
def test_spoilt_metrics_harm_nothing(make_run: Callable[..., Run], tmp_path: Path) -> None:
    """A second header, half a line, too many fields, no numbers: all left out."""
    run = make_run()
    train(tmp_path, run)
    log = tmp_path / "artefacts" / f"behaviour-{run.jobs[0].key}" / "metrics.csv"
    header, *rows = log.read_text().splitlines()
    spoilt = [header, header, rows[0], rows[0] + ",7", "x,y", "", rows[1], rows[0], "1"]
    log.write_text("\n".join(spoilt))
    assert [row["updates"] for row in read_metrics(log.parent)] == [100, 200]
    train(tmp_path, make_run("behaviour.updates=300"))
    assert [row["updates"] for row in read_metrics(log.parent)] == [100, 200, 300]


def test_metrics_of_other_names_are_one_table(tmp_path: Path) -> None:
    """As programs print them: what a row lacks is not a number."""
    log = MetricsLog(tmp_path, 0)
    for updates, metrics in ((1, {"loss": 0.5}), (2, {"q": 3.0}), (3, {"loss": 0.25})):
        log.append(updates, metrics)
    assert str(read_metrics(tmp_path)) == str(
        [
            {"updates": 1.0, "loss": 0.5, "q": math.nan},
            {"updates": 2.0, "loss": math.nan, "q": 3.0},
            {"updates": 3.0, "loss": 0.25, "q": math.nan},
        ]
    )
    MetricsLog(tmp_path, 2).append(3, {"q": 4.0})
    assert [row["q"] for row in read_metrics(tmp_path)][1:] == [3.0, 4.0]


def test_a_policy_that_cannot_be_scored_condemns_its_sampler_alone(
    make_run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()

    def unfinite(*arguments: object, beat: object) -> None:
        raise Diverged("step 3: an action that is not finite")

    with monkeypatch.context() as patch:
        patch.setattr(runner_module, "score_state", unfinite)
        reports = train(tmp_path, run)
    assert [(r.kind, r.snapshot.stage) for r in reports if r.kind != "progress"] == [
        ("diverged", stage) for stage in ("behaviour", "critic", "policy")
    ]  # what builds on it ends with it
    assert JobStore(tmp_path).divergence(run.jobs[0]) is not None
    other = make_run("sampler.evaluations=6")
    assert other.jobs[0].key == run.jobs[0].key
    assert JobStore(tmp_path).divergence(other.jobs[0]) is None


@pytest.mark.slow
def test_a_finished_policy_is_distilled_once_and_the_same_again(
    make_run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the process ended between policy and network; a search's trial has none."""
    small = ("policy.rounds=1", "distil.updates=30", "distil.width=8", "evaluation.every=150")
    plain, run = make_run(*small[:1], small[3]), make_run(*small)
    assert [job.key for job in plain.jobs] == [job.key for job in run.jobs]
    assert replace(run, rungs=(50, 150)).jobs[2].distilled is None
    train(tmp_path, plain)
    assert JobStore(tmp_path).done(plain.jobs[2]) and not JobStore(tmp_path).done(run.jobs[2])
    with monkeypatch.context() as patch:
        patch.setattr(runner_module, "distil", lambda *_: exec("raise KeyboardInterrupt"))
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path, run)
    before = []
    for _ in range(2):
        train(tmp_path, run)
        (folder,) = tmp_path.glob("artefacts/distil-*")
        before += [path.read_bytes() for path in folder.glob("*.pt")]
        shutil.rmtree(folder)
    assert len(before) == 2 and before[0] == before[1]

    def unfinite(*arguments: object) -> None:
        raise Diverged("distil weights are not finite at update 30")

    monkeypatch.setattr(runner_module, "distil", unfinite)
    (report,) = (r for r in train(tmp_path, run) if r.kind == "diverged")
    assert report.snapshot == run.jobs[2].snapshot
    assert JobStore(tmp_path).divergence(run.jobs[2]) is not None
    assert JobStore(tmp_path).divergence(plain.jobs[2]) is None


def test_weights_that_are_not_finite_are_no_result(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    """Also in a stage that ends between two lines of metrics."""
    runner = JobRunner(tmp_path)
    job = make_run("behaviour.updates=150").jobs[0]
    runner.admit(job)
    runner.step(120)
    runner.engine._pack._stacks["online"].stack.flat[0, 0] = float("inf")
    (report,) = runner.step(100)
    assert report.kind == "diverged" and "not finite at update 150" in report.reason
    assert JobStore(tmp_path).artefacts.lengths("behaviour", job.key) == []


def test_where_a_process_stood_is_said_on_its_machine_if_results_are_in_a_bucket(
    make_run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, runner = make_run().jobs[0], JobRunner(tmp_path)
    monkeypatch.setenv("QIPO_DATA", str(tmp_path / "cache"))
    assert runner._stuck(job).is_relative_to(tmp_path / "artefacts")
    monkeypatch.setattr(runner_module, "is_object", lambda path: True)
    assert runner._stuck(job).parent == tmp_path / "cache" / "stuck" / f"behaviour-{job.key}"

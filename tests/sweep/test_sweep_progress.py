"""How far a sweep has come and when it will end, reckoned from what its updates have cost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from qipo_ray.config import load_config
from qipo_ray.config.run_methods import stage_updates
from qipo_ray.study.job import CheckpointRef
from qipo_ray.study.job_events import EventKind, JobEvent
from qipo_ray.sweep.sweep_progress import OVERHEAD, SweepProgress

BASE = load_config(
    "quickstart",
    [
        "behaviour.updates=40", "critic.updates=60", "critic.returns_updates=60",
        "policy.rounds=1", "policy.renew_every=100",
    ],
)  # fmt: skip
S = {"behaviour": 0.1, "critic": 0.1, "policy": 0.2}  # seconds of an update
RUN = 4 + 6 + 20  # seconds of a whole one


def search(left: int) -> Any:
    """What the reckoning reads of a search: 4 trials, paper's form and one best of each path."""
    spec = SimpleNamespace(
        top=1, paper=object(), tasks=("point",), report_seeds=(1, 2), search_seeds=(0,), trials=4,
        base=BASE, baselines=(), race=(),
    )  # fmt: skip
    return SimpleNamespace(spec=spec, trials_left=left)


def event(stage: str, key: str, updates: int, kind: EventKind = "finished") -> JobEvent:
    ref = CheckpointRef(stage, key, stage_updates(BASE)[stage])
    return JobEvent(kind, ref, updates, updates * S[stage])


def test_the_rest_is_expected_to_cost_what_updates_have_cost() -> None:
    progress = SweepProgress(slots=2)
    assert progress.seconds_left(search(4)) is None and progress.share(search(4)) == 0
    progress.take([event("behaviour", "a", 40), event("critic", "b", 60)])
    assert progress.seconds_left(search(4)) is None  # no policy has been seen
    progress.take([event("policy", "c", 10, "progress")])
    # this one's rest, three more trials; 3 configurations on 2 report seeds
    assert progress.seconds_left(search(4)) == pytest.approx(OVERHEAD * (18 + 60 + 6 * RUN) / 2)
    progress.take([event("policy", "c", 50, "dropped")])  # stopped half-way, as others will be
    left = 3 * 10 + 6 * RUN
    assert progress.seconds_left(search(3)) == pytest.approx(OVERHEAD * left / 2)
    assert progress.share(search(3)) == pytest.approx(20 / (20 + left))


def test_a_stage_that_the_search_did_not_have_is_waited_for() -> None:
    """A baseline with a critic, beside a search over a method that has none."""
    progress, cloning = SweepProgress(slots=1), search(0)
    cloning.spec.base = load_config("quickstart", ["policy.method=cloning"])
    progress.take([event("behaviour", "a", 40), event("policy", "c", 100)])
    jobs: Any = [event("critic", "x", 0), event("critic", "y", 0), event("policy", "z", 0)]
    progress.begin_confirm(jobs)
    assert progress.seconds_left(cloning) is None
    progress.take([event("critic", "x", 60)])
    assert progress.seconds_left(cloning) == pytest.approx(OVERHEAD * (6 + 20))
    progress.take([event("critic", "y", 60), event("policy", "z", 100)])
    assert progress.seconds_left(cloning) == 0


def test_in_the_confirm_step_the_jobs_are_known() -> None:
    progress = SweepProgress(slots=1)
    progress.take([event("behaviour", "a", 40), event("critic", "b", 60)])
    progress.take([event("policy", "c", 100)])
    jobs: Any = [
        SimpleNamespace(snapshot=event(stage, key, 0).snapshot)
        for stage, key in (("behaviour", "x"), ("policy", "y"), ("policy", "z"))
    ]
    progress.begin_confirm(jobs)
    assert progress.seconds_left(search(0)) == pytest.approx(OVERHEAD * (4 + 20 + 20))
    progress.take([event("behaviour", "x", 40), event("policy", "y", 25, "progress")])
    assert progress.seconds_left(search(0)) == pytest.approx(OVERHEAD * (15 + 20))
    assert progress.share(search(0)) == pytest.approx((RUN + 4 + 5) / (RUN + 4 + 20 + 20))
    progress.begin_confirm(jobs, ahead=2)  # rounds of a race
    assert progress.seconds_left(search(0)) == pytest.approx(OVERHEAD * (15 + 20 + 2 * 44))


def test_the_bar_follows_the_work_and_the_eta_falls() -> None:
    """Four trials that share clone and critic, then six runs, each in four events."""
    runs: Any = [event(stage, f"c{i}", 0) for i in range(6) for stage in S]
    trials = [event("behaviour", "a", 0), event("critic", "a", 0)]
    trials += [event("policy", f"t{i}", 0) for i in range(4)]
    progress, total, done, last = SweepProgress(slots=1), RUN + 3 * 20 + 6 * RUN, 0.0, 1e9
    for job in trials + runs:
        if job is runs[0]:
            progress.begin_confirm(runs)
        stage, key, length = job.snapshot.stage, job.snapshot.key, job.snapshot.updates
        for updates in (length // 4, length // 2, 3 * length // 4, length):
            kind: EventKind = "finished" if updates == length else "progress"
            progress.take([event(stage, key, updates, kind)])
            ended = sum(e.ended and ref.stage == "policy" for ref, e in progress.reached.items())
            now = search(max(0, 4 - ended))
            if (eta := progress.seconds_left(now)) is not None:
                assert eta < last
                last = eta
                true = (done + updates * S[stage]) / total
                assert progress.share(now) == pytest.approx(true, abs=0.05)
        done += length * S[stage]
    assert last == 0 and progress.share(search(0)) == 1

"""A plan against what a sweep then does: trials, rungs, jobs, episodes; and its arithmetic."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from qipo_ray.cli import sweep
from qipo_ray.cli.main import main
from qipo_ray.config import stage_keys
from qipo_ray.data.load import load
from qipo_ray.data.transitions import Dataset
from qipo_ray.evaluation.generate import generate
from qipo_ray.study.job import Run
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.study.trial import TrialState
from qipo_ray.sweep.plan import OVERHEAD, Plan, plan_sweep
from qipo_ray.sweep.task_study import Study
from qipo_ray.train.probe import RunCost, Span, StageCost

FILE = """\
set: {behaviour.updates: 100, critic.updates: 90, critic.returns_updates: 90,
      policy.renew_every: 60, evaluation.every: 1000, evaluation.episodes: 5,
      evaluation.final_episodes: 20}
space:
  behaviour.path: {grid: [ot, vp]}
  critic.learning_rate: {choice: [0.001, 0.0003]}
  policy.beta: {loguniform: [5, 50]}
baselines: {IQL: {policy.method: iql, iql.updates: 50}}
acting: {mode: {sampler.noise: 0}}
rungs: {shares: [1/3, 1], reduction: 2}
"""


@pytest.fixture(scope="module")
def point(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = generate("point", tmp_path_factory.mktemp("data") / "point.hdf5", rows=500)
    return load("point", path)


def priced(run: Run) -> RunCost:
    """A second an update of a policy, and 10 of what it builds on; a tenth of a step."""
    costs = {job.stage: 1.0 if job.stage == "policy" else 10.0 for job in run.jobs}
    return RunCost({s: StageCost(Span(c, 2 * c), 1000) for s, c in costs.items()}, Span(0.1, 0.1))


@pytest.fixture
def spec(make_spec: Callable[..., SearchSpec]) -> SearchSpec:
    return make_spec(FILE)


def test_the_first_trials_are_those_of_the_sweep(spec: SearchSpec, point: Dataset) -> None:
    """The others are not: what has ended by then tells TPE what to choose."""
    (task,) = plan_sweep(spec, {"point": point}, priced).tasks
    assert len(task.trials) == 12 and task.certain == 4
    study, configs = Study(spec, "point"), []
    for number, planned in enumerate(task.trials):
        suggestion = study.ask()
        assert suggestion is not None
        configs.append(suggestion.config == planned.config)
        study.tell(planned.id, TrialState.FINISHED, 10.0 * number, 1) if configs[-1] else None
        if not configs[-1]:
            break
    assert len(configs) > task.certain  # these are equal, a later one is not
    assert not all(configs)


def test_jobs_are_counted_by_their_keys(spec: SearchSpec, point: Dataset) -> None:
    (task,) = plan_sweep(spec, {"point": point}, priced).tasks
    for stage in ("behaviour", "critic", "policy"):
        keys = [stage_keys(t.config, "point", point.sha256, 0)[stage] for t in task.trials]
        jobs = task.jobs(stage)
        assert (jobs.needed, jobs.distinct) == (12, len(set(keys)))
        assert jobs.smallest == (12 if stage == "policy" else len(set(keys[:4])))
        assert jobs.largest == (12 if stage == "policy" else jobs.smallest + 8)
    assert task.jobs("behaviour").distinct == 2 and task.jobs("critic").distinct == 4
    # On 2 report seeds: OT and Diff, each once more in another way to act, and IQL.
    assert [run.at_end for run in task.confirm] == 2 * [False, False, True, False, True]
    assert len({job.key for run in task.confirm for job in run.jobs}) == 2 * (3 + 3 + 1)


def test_what_it_costs(spec: SearchSpec, point: Dataset) -> None:
    plan = plan_sweep(spec, {"point": point}, priced)
    (task,) = plan.tasks
    length = task.trials[0].rungs[-1]
    on = task.at_rungs[1]
    assert task.at_rungs == (12, pytest.approx(on)) and 6 <= on < 8
    low, acting = plan.seconds(plan.search)
    trained = 2 * 100 * 10 + 4 * 90 * 10 + 12 * length / 3 + on * 2 * length / 3
    episodes = 5 * (12 + on)
    steps = min(len(point.observations) / len(point.episodes), 50)
    assert acting.low == pytest.approx(0.1 * episodes * steps)
    assert low.low == pytest.approx(trained + acting.low)
    assert low.high == pytest.approx(OVERHEAD.high * (2 * trained + acting.high))
    _, acted = plan.seconds(plan.confirm)
    per_run = 20 + 5 + 20 + 20  # the clone, the critic's best, the policy, and its other way
    assert acted.low == pytest.approx(0.1 * steps * 2 * (2 * per_run + 20))
    assert plan.disk == 2 * 1000 * (2 + 4 + 12 + 14) and plan.unknown == []


def test_a_way_to_act_that_is_distilled_costs_its_updates(
    make_spec: Callable[..., SearchSpec], point: Dataset
) -> None:
    costs = []
    for updates in (20, 50):
        lines = FILE.replace("mode: {sampler.noise: 0}", "fast: {sampler.one_step: true}")
        spec = make_spec(lines.replace("set: {", f"set: {{distil.updates: {updates}, "))
        plan = plan_sweep(spec, {"point": point}, priced)
        whole, acted = plan.seconds(plan.confirm)
        costs.append(whole.low - acted.low)
    assert costs[1] - costs[0] == pytest.approx(2 * 2 * 30)  # on 2 seeds OT and Diff


@pytest.mark.parametrize("objective", ["score", "fqe"])
def test_signals_cost_their_time_at_every_rung_and_at_the_end(
    make_spec: Callable[..., SearchSpec], point: Dataset, objective: str
) -> None:
    """Also beside scores, which the same rungs have; without scores no episode is counted."""
    spec = make_spec(f"{FILE}objective: {objective}\n", sets=["evaluation.signals=fqe"])
    free = plan_sweep(spec, {"point": point}, priced)
    plan = replace(free, signals={"qipo": Span(7.0, 7.0), "iql": Span(7.0, 7.0)})
    arrivals = sum(plan.tasks[0].at_rungs)
    for name, measured in (("search", arrivals), ("confirm", 2 * (2 + 2 + 1))):
        (without, acted), (whole, _) = (p.seconds(getattr(p, name)) for p in (free, plan))
        assert whole.low - without.low == pytest.approx(7 * measured)
        assert (acted == Span()) == (name == "search" and objective == "fqe")


def test_kinds_that_were_not_tried_cost_what_their_like_do(
    spec: SearchSpec, point: Dataset
) -> None:
    plan = plan_sweep(spec, {"point": point}, priced)
    some = dict(list(plan.costs.items())[:-3])
    (gone,) = {key[1] for key in plan.costs.keys() - some.keys()}
    part = Plan(plan.spec, plan.tasks, some, plan.step, plan.signals)
    assert part.seconds(part.search) == plan.seconds(plan.search)
    nothing = Plan(plan.spec, plan.tasks, {}, {}, {})
    assert nothing.unknown == ["iql", "qipo"] and gone in nothing.unknown
    assert nothing.seconds(nothing.search)[0] == Span() and nothing.disk == 0


@pytest.mark.slow
def test_the_command_starts_and_writes_nothing(
    write_file: Callable[[str], Path],
    point: Dataset,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file, results = write_file(FILE), tmp_path / "R"
    line = ["sweep", str(file), "--plan", "--results", str(results), "--data", str(point.path)]
    small = ("behaviour.width=16", "critic.width=16", "policy.rounds=1")
    assert main([*line, *(part for change in small for part in ("--set", change))]) == 0
    said = capsys.readouterr().out
    assert "point: 12 trials on 1 seed; come to rungs, in the mean: 20 updates: 12; 60" in said
    assert "critic: 12 needed, 4 distinct, between " in said
    assert "from trial 5 on TPE chooses; here they are drawn at random" in said
    monkeypatch.setattr(sweep, "probe", lambda run, device: priced(run))
    assert main([*line, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    origins = {setting["key"]: setting["from"] for setting in document["settings"]}
    assert origins["behaviour.updates"] == "search.yaml:6"
    assert origins["policy.beta"] == "search.yaml:12"
    assert origins["policy.rounds"] == "ours" and "policy.rounds" in said
    values = {setting["key"]: setting["value"] for setting in document["settings"]}
    assert values["policy.beta"] == "{loguniform: [5, 50]}"
    low, high = document["seconds"]["all"]
    assert 0 < low < high and document["tasks"][0]["jobs"]["critic"]["distinct"] == 4
    assert not results.exists()
    assert main([*line, "--set", "policy.betta=1"]) == 2

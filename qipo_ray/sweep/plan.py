"""The plan of a sweep before it starts: trials, rungs, jobs, episodes, and what they cost.

The first trials are those that the sweep will make. What TPE chooses later is not known: here it
is drawn at random, and stands between no new job for a shared stage and a new one for each trial.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from qipo_ray.config import config_hash
from qipo_ray.config.evaluations import rung_updates
from qipo_ray.data.transitions import Dataset
from qipo_ray.store.intents import trial_id
from qipo_ray.study.asha import expected_on
from qipo_ray.study.job import Job, Run
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.study.selection import select_configs
from qipo_ray.study.trial import DatasetRef, Trial
from qipo_ray.sweep.task_study import Study
from qipo_ray.sweep.tpe import random_trials
from qipo_ray.train.probe import RunCost, Span, StageCost

PROBED = 6  # kinds of runs that are tried, the commonest of each method first
SNAPSHOTS = 2  # that a job leaves: its end, and the last before
OVERHEAD = Span(1.0, 1.5)  # over training and scoring alone: saving, reports, latency, tables

Probe = Callable[[Run], RunCost]


@dataclass(frozen=True)
class Work:
    """A job as far as it is expected to be trained, the episodes that score it, and signals."""

    job: Job
    updates: float
    episodes: float
    signals: float  # how often they are measured
    steps: Span  # of an episode
    way: str = ""  # to act, of a job that is trained for another run


@dataclass(frozen=True)
class StageJobs:
    """Jobs of one stage: what the trials of a search need, and the distinct ones of these."""

    needed: int
    distinct: int  # with later trials drawn at random
    smallest: int  # if later trials share all, or none
    largest: int


@dataclass(frozen=True)
class TaskPlan:
    """What a sweep does on one task."""

    task: str
    trials: tuple[Trial, ...]
    certain: int  # of them that the sweep will make just so
    at_rungs: tuple[float, ...]  # trials that come there, in the mean
    search: tuple[Run, ...]
    confirm: tuple[Run, ...]
    steps: Span  # of an episode: as long as the data's, or to the horizon

    def jobs(self, stage: str) -> StageJobs:
        """Return how many jobs of a stage the trials need, and how many are trained."""
        keys = [job.key for run in self.search if (job := run.job(stage)) is not None]
        first = self.certain * len(keys) // max(1, len(self.trials))
        least, later = len(set(keys[:first])), len(keys) - first
        if stage == "policy":  # no two trials have one configuration
            least, later = len(set(keys)), 0
        return StageJobs(len(keys), len(set(keys)), least, least + later)

    def work(self) -> tuple[list[Work], list[Work]]:
        """Return the jobs of the search and of the confirm step, equal ones once."""
        arrive = [count / max(1, len(self.trials)) for count in self.at_rungs]

        def searched() -> Iterator[Work]:
            for rungs, job in ((run.rungs, job) for run in self.search for job in run.jobs):
                if job.stage != "policy":
                    yield Work(job, job.length, 0, 0, self.steps)
                    continue
                shares = dict(zip(rungs, arrive, strict=True))
                lengths = zip(rungs, (0, *rungs), strict=False)
                updates = sum((end - begin) * shares[end] for end, begin in lengths)
                episodes = sum(e.episodes * shares[e.updates] for e in job.evaluations)
                signals = sum(shares[e.updates] for e in job.evaluations if e.kind == "signals")
                yield Work(job, updates, episodes, signals, self.steps)

        def confirmed() -> Iterator[Work]:
            for run in self.confirm:
                for job in run.jobs:
                    episodes = sum(point.episodes for point in job.evaluations)
                    signals = sum(point.kind == "signals" for point in job.evaluations)
                    if run.at_end:  # all is trained, and distilled, by another run
                        way = config_hash(job.config)
                        yield Work(job, 0, episodes, signals, self.steps, way)
                        continue
                    # Distilling takes about what as many updates of a policy do.
                    more = 0 if job.distilled is None else job.distilled.updates
                    yield Work(job, job.length + more, episodes, signals, self.steps)

        return _merged(searched()), _merged(confirmed())


def _merged(works: Iterable[Work]) -> list[Work]:
    """Return the work with equal jobs once, as long as the longest, with the most scores."""
    merged: dict[tuple[str, str], Work] = {}
    for work in works:
        key = work.job.key, work.way
        before = merged.setdefault(key, work)
        merged[key] = replace(
            before,
            updates=max(before.updates, work.updates),
            episodes=max(before.episodes, work.episodes),
            signals=max(before.signals, work.signals),
        )
    return list(merged.values())


@dataclass(frozen=True)
class Plan:
    """What a sweep is expected to do, and what its parts cost by the probes."""

    spec: SearchSpec
    tasks: tuple[TaskPlan, ...]
    costs: Mapping[tuple[str, str, str], StageCost]  # by stage, method and shape
    step: Mapping[str, Span]  # of an episode, by method
    signals: Mapping[str, Span]  # measured once, by method

    def _cost(self, job: Job) -> StageCost | None:
        """Return the cost of an update; of a kind that was not tried the span of those that were.

        None where nothing tells, as of a program.
        """
        method = job.config.policy.method
        if (exact := self.costs.get((job.stage, method, job.shape))) is not None:
            return exact
        kind = job.stage, method
        same = [cost for key, cost in self.costs.items() if key[:2] == kind]
        if not same:
            return None
        span = same[0].update
        for cost in same[1:]:
            span |= cost.update
        return StageCost(span, max(cost.bytes for cost in same))

    @cached_property
    def unknown(self) -> list[str]:
        """Methods of which nothing tells the cost."""
        priced = {method for stage, method, _ in self.costs if stage == "policy"}
        runs = (run for plan in self.tasks for run in (*plan.search, *plan.confirm))
        return sorted({run.config.policy.method for run in runs} - priced)

    def seconds(self, works: Sequence[Work]) -> tuple[Span, Span]:
        """Return what some jobs take: all in all, and the evaluation episodes in it."""
        training, acting = Span(), Span()
        for work in works:
            method = work.job.config.policy.method
            if (cost := self._cost(work.job)) is not None:
                training += cost.update * work.updates
            training += self.signals.get(method, Span()) * work.signals
            step = self.step.get(method, Span())
            steps = work.steps
            acting += Span(step.low * steps.low, step.high * steps.high) * work.episodes
        total = training + acting
        return Span(total.low * OVERHEAD.low, total.high * OVERHEAD.high), acting

    @cached_property
    def search(self) -> list[Work]:
        """The work of the search."""
        return [work for plan in self.tasks for work in plan.work()[0]]

    @cached_property
    def confirm(self) -> list[Work]:
        """The work of the confirm step."""
        return [work for plan in self.tasks for work in plan.work()[1]]

    @property
    def disk(self) -> int:
        """Bytes of the snapshots."""
        jobs = {work.job.key: work.job for work in (*self.search, *self.confirm)}
        return SNAPSHOTS * sum(c.bytes for job in jobs.values() if (c := self._cost(job)))


def plan_sweep(spec: SearchSpec, datasets: Mapping[str, Dataset], probe: Probe) -> Plan:
    """Return the plan of a sweep; ``probe`` tries a few kinds of its runs."""
    tasks = tuple(_task_plan(spec, task, dataset) for task, dataset in datasets.items())
    runs = [run for plan in tasks for run in (*plan.confirm, *plan.search) if not run.at_end]
    costs: dict[tuple[str, str, str], StageCost] = {}
    step: dict[str, Span] = {}
    signals: dict[str, Span] = {}
    for run in _kinds(runs):
        tried, method = probe(run), run.config.policy.method
        step[method] = tried.step | step.get(method, tried.step)
        signals[method] = tried.signals | signals.get(method, tried.signals)
        for job in run.jobs:
            if job.stage in tried.stages:
                costs[job.stage, method, job.shape] = tried.stages[job.stage]
    return Plan(spec, tasks, costs, step, signals)


def _kinds(runs: Iterable[Run]) -> list[Run]:
    """Return a run of each kind, the commonest of every method first, ``PROBED`` of them."""
    kinds: Counter[tuple[str, ...]] = Counter()
    example: dict[tuple[str, ...], Run] = {}
    for run in runs:
        kind = (run.config.policy.method, *(job.shape for job in run.jobs))
        kinds[kind] += 1
        example[kind] = run
    ranked: list[tuple[int, int, tuple[str, ...]]] = []
    ranks: Counter[str] = Counter()
    for number, (kind, _) in enumerate(kinds.most_common()):
        ranked.append((ranks[kind[0]], number, kind))
        ranks[kind[0]] += 1
    return [example[kind] for _, _, kind in sorted(ranked)[: max(PROBED, len(ranks))]]


def _task_plan(spec: SearchSpec, task: str, dataset: Dataset) -> TaskPlan:
    trials = tuple(_trials(spec, task))
    ref = DatasetRef(dataset.place, dataset.sha256, dataset.own_task)
    counts = [float(len(trials))]
    while len(counts) < len(spec.shares):
        counts.append(expected_on(round(counts[-1]), spec.reduction))
    ends = [{"trial": t.id, "rung": len(t.rungs) - 1, "value": 0.0} for t in trials]
    confirm = tuple(
        Run(task, chosen.config, seed, ref.path, ref.sha256, (), ref.own_task,
            at_end=chosen.acting is not None)
        for seed in spec.report_seeds
        for chosen in select_configs(task, spec, trials, ends, ())
    )  # fmt: skip
    horizon = spec.task_facts(task).horizon
    episodes = max(1, len(dataset.episodes))
    return TaskPlan(
        task=task,
        trials=trials,
        certain=min(len(trials), random_trials(spec)),
        at_rungs=tuple(counts),
        search=tuple(run for trial in trials for run in trial.runs(ref)),
        confirm=confirm,
        steps=Span(min(horizon, dataset.rows / episodes), horizon),
    )


def _trials(spec: SearchSpec, task: str) -> Iterator[Trial]:
    """Yield the trials as they are asked for while none has ended."""
    study = Study(spec, task)
    while (suggestion := study.ask()) is not None:
        number = config_hash(suggestion.config)
        yield Trial(
            id=trial_id(spec.name, task, number),
            task=task,
            position=0,
            origin=suggestion.origin,
            params=suggestion.params,
            config=suggestion.config,
            config_hash=number,
            seeds=spec.search_seeds,
            rungs=rung_updates(suggestion.config, spec.shares),
            written="",
            objective=spec.objective,
        )

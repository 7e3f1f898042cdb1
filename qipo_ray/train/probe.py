"""What the stages of a run cost on this machine: a few updates of each, and a few steps acted.

A job's pack is taken to places along its course, so that a critic is seen on returns and on its
own targets, and a policy in its rounds. Sets of support actions are drawn at few states, of two
sizes: what the whole set takes follows. Nothing is written.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Generator, Tensor

from qipo_ray.agent import Member, Pack, State, Tensors, pack_of
from qipo_ray.agent.blaming import blaming
from qipo_ray.agent.fitted_q import FixedPolicy, fitted_q
from qipo_ray.agent.offline_errors import behaviour_loss, td_error
from qipo_ray.agent.program_method import ProgramMethod
from qipo_ray.agent.support import SupportPack, SupportSet
from qipo_ray.config import Config, FieldError, method_of
from qipo_ray.config.evaluations import fitted_q_updates
from qipo_ray.config.facts import marked
from qipo_ray.config.notes import SupportSize
from qipo_ray.study.job import Job, Run
from qipo_ray.study.search_spec import changed
from qipo_ray.train.checkpoint import Checkpoint, identity, to_bytes
from qipo_ray.train.dataset import tensors_of
from qipo_ray.train.machine import cpu_seconds
from qipo_ray.train.memory import support_needs
from qipo_ray.train.scoring import score_state
from qipo_ray.train.signals import acting_of

COURSE = (0.0, 0.99, 0.5, 0.25, 0.75)  # of a job's length: where updates are timed, in this order
LEAST, LIMIT_S = 2, 2.0  # of those places that are visited, the others within this time
UPDATES = 4  # in a batch; two batches at each place
STATES = (32, 256)  # of the sets that are drawn
STEPS = (4, 24)  # of the episodes that are acted
EPISODES = 10  # side by side


@dataclass(frozen=True)
class Span:
    """The least and the most that something takes."""

    low: float = 0.0
    high: float = 0.0

    def __add__(self, more: Span) -> Span:
        """Return the span of both, one after the other."""
        return Span(self.low + more.low, self.high + more.high)

    def __mul__(self, count: float) -> Span:
        """Return the span of so many."""
        return Span(self.low * count, self.high * count)

    def __or__(self, second: Span) -> Span:
        """Return the span of one or the other."""
        return Span(min(self.low, second.low), max(self.high, second.high))


@dataclass(frozen=True)
class StageCost:
    """What an update of a stage takes, the sets of support actions spread over all of them."""

    update: Span  # seconds
    bytes: int  # of a snapshot


@dataclass(frozen=True)
class RunCost:
    """What the stages of a run cost, and one step of an episode; a program's cannot be told."""

    stages: dict[str, StageCost]
    step: Span  # seconds, for one episode
    signals: Span = Span()  # seconds, measured once


def probe(run: Run, device: str) -> RunCost:
    """Return what a run costs: CPU seconds of one thread, or on a GPU seconds of the device."""
    torch.set_num_threads(1)
    states: dict[str, State] = {}
    costs: dict[str, StageCost] = {}
    for job in run.jobs:
        if job.stage == "policy" and issubclass(method_of(run.config), ProgramMethod):
            return RunCost(costs, Span())
        data = tensors_of(job, torch.device(device))
        costs[job.stage], states[job.stage] = _stage(job, data, states, device)
    acting = states["policy"] if run.config.sampler.best_of == 1 else states[run.jobs[0].stage]
    step = _step(run, acting) if run.task_facts.scored else Span()
    return RunCost(costs, step, _signals(run, acting, states.get("critic"), data, device))


def _stage(
    job: Job, data: Tensors, upstream: dict[str, State], device: str
) -> tuple[StageCost, State]:
    """Return the cost of a job's stage, and a state for those that build on it."""
    need = support_needs(job.config, data.rows, data.action_dim, device).get(job.stage)
    few, more = (min(states, data.rows) for states in STATES)
    pack = _pack(job, data, upstream, more)
    course = _course(pack, job.length, device)
    cost, state = course.plain * job.length, pack.state(0)
    if course.sets and need is not None:
        pack = _pack(job, data, upstream, few)
        pack.members[0].updates = int(COURSE[1] * job.length)
        small = max(0.0, _seconds(pack.update, device) - course.plain.low)
        per_state = max(0.0, course.first - course.plain.low - small) / max(1, more - few)
        full = small + per_state * max(0, need.states - few)
        cost += Span(0.8 * full, 1.2 * full) * course.sets
    snapshot = len(to_bytes(Checkpoint(state, identity(job), {})))
    return StageCost(cost * (1 / job.length), snapshot), state


def _pack(job: Job, data: Tensors, upstream: dict[str, State], states: int) -> Pack:
    """Return a pack of the job alone, with sets of so many states."""
    config = _with_states(job.config, states)
    with blaming(config):
        pack = pack_of(job.stage, config, data)
        pack.admit(Member(config, job.seed), upstream, None)
        pack.update()  # the first one loads what all need
    if isinstance(pack, SupportPack):
        pack.support = [None]  # the next one draws its set
    return pack


@dataclass(frozen=True)
class _Course:
    """Seconds of an update that draws a set, and of one that does not; how many sets there are."""

    first: float
    plain: Span
    sets: int


def _course(pack: Pack, length: int, device: str) -> _Course:
    """Return what updates of the one member take along the course of its job."""
    firsts, spans, sets, begun = [], [], 0, time.monotonic()
    for number, share in enumerate(COURSE):
        if number >= LEAST and time.monotonic() - begun > LIMIT_S:
            break
        pack.members[0].updates = min(int(share * length), length - 1)
        before = _present(pack)
        first = _seconds(pack.update, device)
        updates, batches = (1, 1) if first > LIMIT_S / 10 else (UPDATES, 2)
        train = partial(_train, pack, updates)
        times = [_seconds(train, device) for _ in range(batches)]
        spans.append(Span(min(times), max(times)) * (1 / updates))
        if (present := _present(pack)) is not None:
            sets = max(sets, present.renewal + 1)
            firsts += [first] if present is not before else []
    plain = sum(spans, Span()) * (1 / len(spans))
    return _Course(statistics.median(firsts) if firsts else 0.0, plain, sets)


def _present(pack: Pack) -> SupportSet | None:
    """Return the set of support actions that the one member holds."""
    (present,) = pack.support if isinstance(pack, SupportPack) else (None,)
    return present


def _train(pack: Pack, updates: int) -> None:
    """Train the member where it is: it stays in its round."""
    for _ in range(updates):
        pack.members[0].updates -= 1
        pack.update()


def _with_states(config: Config, states: int) -> Config:
    """Return the configuration with sets of so many states."""
    for key in sorted(key for key in marked(SupportSize) if key.endswith(".pool")):
        try:
            config = changed(config, {key: states})
        except FieldError:
            continue  # a section that it does not have
    return changed(config, {"policy.evidence": 0.0})  # as if Q were borne out: rounds cost most


def _step(run: Run, state: State) -> Span:
    """Return the seconds of a step of one of several episodes, without making the simulators."""

    def act(steps: int) -> float:
        task = replace(run.task_facts, horizon=steps)
        return _seconds(lambda: score_state(task, run.config, state, EPISODES), "cpu")

    act(1)
    short, long = act(STEPS[0]), act(STEPS[1])
    per_step = max(0.0, long - short) / (STEPS[1] - STEPS[0]) / EPISODES
    return Span(0.8 * per_step, 1.2 * per_step)


def _signals(run: Run, acting: State, critic: State | None, data: Tensors, device: str) -> Span:
    """Return the seconds of measuring a run's signals once, as the policy acts in ``acting``."""
    if run.config.evaluation.signals == "none":
        return Span()
    counts: list[int] = []  # of states at which the policy is asked

    def counted(states: Tensor, generator: Generator) -> Tensor:
        counts.append(len(states))
        return torch.zeros(len(states), data.action_dim)

    policy = FixedPolicy(run.config, run.seed, counted, critic)
    seconds = _seconds(lambda: (td_error(policy, data), behaviour_loss(policy, data)), device)
    measured = len(counts)
    if length := fitted_q_updates(run.config):
        few, more = UPDATES, 5 * UPDATES
        longer = _seconds(lambda: fitted_q([policy], data, more), device)
        del counts[measured:]  # the same states again
        shorter = _seconds(lambda: fitted_q([policy], data, few), device)
        per_update = max(0.0, longer - shorter) / (more - few)
        seconds += max(0.0, shorter + per_update * (length - few))
    act, states = acting_of(run.config, acting), data.states[: STATES[1]].cpu()
    ask = partial(act, states, Generator().manual_seed(0))
    ask()
    seconds += _seconds(ask, device) / len(states) * sum(counts)
    return Span(0.8 * seconds, 1.2 * seconds)


def _seconds(act: Callable[[], object], device: str) -> float:
    """Return what an action takes: CPU seconds, or on a GPU the time until it is done."""
    if device == "cpu":
        begun = cpu_seconds()
        act()
        return cpu_seconds() - begun
    torch.cuda.synchronize()
    begun = time.perf_counter()
    act()
    torch.cuda.synchronize()
    return time.perf_counter() - begun

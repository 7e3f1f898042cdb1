"""The runner of jobs: an engine with its store. It admits, trains, saves and scores.

The local executor's processes and the workers on a cluster run the same runner.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from qipo_ray.agent import Diverged, State, Tensors
from qipo_ray.agent.critic_report import CriticReport, critic_report
from qipo_ray.agent.distil import distil
from qipo_ray.agent.policy_report import PolicyReport, policy_report
from qipo_ray.config import reported_stages
from qipo_ray.data.locate import data_cache
from qipo_ray.errors import Failure, Lost, UserError
from qipo_ray.evaluation.watchdog import was_ended, watched
from qipo_ray.store.bucket import is_object
from qipo_ray.store.fencing import StaleToken
from qipo_ray.store.records import PROGRAMS
from qipo_ray.study.job import CheckpointRef, EvalPoint, Job
from qipo_ray.study.job_events import EventKind, JobEvent, Score
from qipo_ray.train.best_by_q import score_best_by_q
from qipo_ray.train.checkpoint import Checkpoint, check_form, fresh_state, identity, to_bytes
from qipo_ray.train.dataset import OpenData, data_key, on_disk, tensors_of
from qipo_ray.train.engine import LOG_EVERY, Engine, EngineEvent
from qipo_ray.train.job_store import JobStore, job_score_name
from qipo_ray.train.machine import cpu_seconds, hardware, moved
from qipo_ray.train.memory import shortage, support_needs
from qipo_ray.train.metrics import MetricsLog
from qipo_ray.train.scoring import score_state
from qipo_ray.train.signals import SignalMeter

logger = logging.getLogger(__name__)

STUCK = "evaluation.stuck"  # in a job's folder: where a process stood that had to be ended
SAVE_EVERY_S = 10.0  # wall seconds between checkpoints; a kill loses at most this much work


@dataclass
class _Active:
    """A job in this host: its attempt number, machine, training seconds, log, and last save.

    ``cpu_seconds`` are the process's own, of all its threads, and those of programs that it ran;
    None where they were not counted from the start. What is ``whole`` already, in a snapshot that
    is kept, is but measured: nothing of it is written anew.
    """

    job: Job
    attempt: int
    machine: dict[str, Any]
    seconds: float
    cpu_seconds: float | None
    log: MetricsLog
    saved: float
    whole: bool


class JobRunner:
    """An engine with N slots whose jobs live in the store under ``root``."""

    def __init__(
        self, root: Path, slots: int = 1, device: str = "cpu", open_data: OpenData = on_disk
    ) -> None:
        self.job_store = JobStore(root)
        self.artefacts = self.job_store.artefacts
        self.engine = Engine(slots)
        self.device = torch.device(device)
        self.active: dict[str, _Active] = {}
        self.at_hand = open_data
        self._data: tuple[str, Tensors] | None = None
        self.meter = SignalMeter(self.job_store)

    def start(self, job: Job) -> list[JobEvent]:
        """Admit a job; one that cannot be trained here has ``failed``, with the reason."""
        try:
            return self.admit(job)
        except (UserError, Failure) as error:
            end = JobEvent(_ending(error), job.snapshot, 0, 0.0, reason=str(error))
            return [end, *(self.step() if self.active and self.engine.broken else [])]

    def admit(self, job: Job) -> list[JobEvent]:
        """Start or continue a job in a free slot; return what is already due.

        ``UserError`` if a checkpoint that it needs is missing, damaged or not its own, or if its
        support sets cannot fit into memory.
        """
        states = {snapshot: self.job_store.state(snapshot) for snapshot in job.upstream}
        upstream = {snapshot.stage: state for snapshot, state in states.items()}
        attempt = self.artefacts.claim(job.stage, job.key)
        checkpoint, before = self.job_store.resume_point(job) or (None, None)
        seconds, cpu_seconds = (before.seconds, before.cpu_seconds) if before else (0.0, 0.0)
        machine = {**hardware(str(self.device)), "slots": self.engine.slots}
        state = None
        if checkpoint is not None:
            state = checkpoint.state
            states[replace(job.snapshot, updates=state["updates"])] = state
            _warn_if_moved(job, checkpoint, machine)
        data = self._tensors(job)
        self._check_room(job, data)
        self._check_states(job, data, states)
        self.engine.admit(job, data, upstream, state, self.artefacts.root / PROGRAMS / job.key)
        whole = before is not None and before.keep and before.updates == job.length
        if not whole:
            self.job_store.trains_on(job, machine)
        updates = self.engine.updates(job.key)
        log = MetricsLog(self.artefacts.folder(job.stage, job.key), updates)
        self.active[job.key] = _Active(
            job, attempt, machine, seconds, cpu_seconds, log, time.monotonic(), whole
        )
        events = [self._report("progress", job, updates)]
        if updates >= job.length:
            events += self._handle(EngineEvent("finished", job, updates))
        elif any(e.updates == updates for e in job.evaluations):
            events += self._handle(EngineEvent("mark", job, updates))
        return events

    def _tensors(self, job: Job) -> Tensors:
        key = data_key(job)
        if self._data is None or self._data[0] != key:
            self._data = (key, tensors_of(job, self.device, self.at_hand))
        return self._data[1]

    def _check_room(self, job: Job, data: Tensors) -> None:
        """Refuse a job whose support sets cannot fit into memory."""
        need = support_needs(job.config, data.rows, data.action_dim, self.device.type).get(
            job.stage
        )
        sets = 1 + (self.engine.pack.pending_sets() if self.engine.pack else 0)
        if need is not None and (problem := shortage(need, sets, self.device)) is not None:
            raise UserError(problem)

    def _check_states(
        self, job: Job, data: Tensors, states: Mapping[CheckpointRef, State]
    ) -> None:
        """Refuse states that have not the form in which a job of their stage starts."""
        upstream: dict[str, State] = {}
        for snapshot, state in states.items():
            fresh = fresh_state(job, snapshot.stage, data, upstream)
            with self.job_store.refusing(snapshot):
                check_form(state, fresh)
            upstream[snapshot.stage] = state

    def step(self, updates: int = LOG_EVERY) -> list[JobEvent]:
        """Train all jobs for at most ``updates``; save, score and free slots as they fall due."""
        start, cpu_start = time.monotonic(), cpu_seconds()
        engine_events = self.engine.advance(updates)
        share = (time.monotonic() - start) / len(self.active)
        cpu_share = (cpu_seconds() - cpu_start) / len(self.active)
        for active in self.active.values():
            active.seconds += share
            if active.cpu_seconds is not None:
                active.cpu_seconds += cpu_share
        self._meter_together(engine_events)
        events = [event for engine_event in engine_events for event in self._handle(engine_event)]
        for active in list(self.active.values()):
            if time.monotonic() - active.saved > SAVE_EVERY_S:
                try:
                    self.save(active.job)
                except (StaleToken, UserError, Failure) as error:
                    events.append(self._given_up(active.job, error))
        return events

    def _given_up(self, job: Job, error: Exception) -> JobEvent:
        """Take a job that cannot go on here out of its slot, alone, and say how it ended."""
        updates = self.engine.updates(job.key)
        return self._ended(_ending(error), job, updates, str(error))

    def _ended(self, kind: EventKind, job: Job, updates: int, reason: str = "") -> JobEvent:
        event = self._report(kind, job, updates, reason=reason)
        self._drop(job.key)
        return event

    def save(self, job: Job, *, keep: bool = False) -> State:
        """Write a snapshot of a job in a slot and return its state."""
        active = self.active[job.key]
        state = self.engine.state(job.key)
        self.artefacts.write(
            job.stage,
            job.key,
            state["updates"],
            to_bytes(Checkpoint(state, identity(job), active.machine)),
            attempt=active.attempt,
            seconds=active.seconds,
            cpu_seconds=active.cpu_seconds,
            keep=keep,
        )
        active.log.publish()
        active.saved = time.monotonic()
        return state

    def stop(self, key: str) -> JobEvent:
        """Save a job, take it out of its slot, and say so; it can go on later, anywhere."""
        job = self.active[key].job
        try:
            updates = self.save(job)["updates"]
        except (StaleToken, UserError, Failure) as error:
            return self._given_up(job, error)
        return self._ended("dropped", job, updates)

    def _drop(self, key: str) -> None:
        self.engine.drop(key)
        self.active.pop(key).log.publish()

    def _handle(self, event: EngineEvent) -> list[JobEvent]:
        try:
            return self._respond(event)
        except (StaleToken, UserError, Failure) as error:
            return [self._given_up(event.job, error)]

    def _respond(self, event: EngineEvent) -> list[JobEvent]:
        job = event.job
        if event.kind == "metrics":
            self.active[job.key].log.append(event.updates, event.metrics)
            return [self._report("progress", job, event.updates)]
        if event.kind == "diverged":
            return [self._diverged(job, event.updates, event.reason)]
        if event.kind != "mark" and event.kind != "finished":
            return [self._ended(event.kind, job, event.updates, event.reason)]
        whole = self.active[job.key].whole
        state = (
            self.engine.state(job.key) if whole else self.save(job, keep=event.kind == "finished")
        )
        if event.kind == "finished" and job.stage in reported_stages(job.config):
            self._measure(job, state)
        if event.kind == "finished" and (ref := job.distilled):
            try:
                self._distil(job, state, ref)
            except Diverged as error:
                return [self._diverged(job, event.updates, str(error), f"diverged-{ref.key}")]
        events = self._scores(job, state)
        if event.kind == "finished" and job.key in self.active:
            events.append(self._ended("finished", job, event.updates))
        return events

    def _measure(self, job: Job, state: State) -> None:
        """Keep the report of a critic or policy that has come to its length, if there is none."""
        if self.job_store.report(job) is not None:
            return
        data, behaviour = self._tensors(job), self.job_store.state(job.upstream[0])
        measured: CriticReport | PolicyReport
        if job.stage == "critic":
            measured = critic_report(job.config, data, behaviour, state, job.seed)
        else:
            critic = self.job_store.state(job.upstream[1])
            measured = policy_report(job.config, data, behaviour, critic, state, job.seed)
        self.job_store.keep_report(job, measured.plain())

    def _distil(self, job: Job, state: State, ref: CheckpointRef) -> None:
        """Train and keep the one-step network of a finished policy, if it is not there."""
        stage, key, updates = ref.stage, ref.key, ref.updates
        if self.artefacts.read(stage, key, updates) is not None:
            return
        attempt = self.artefacts.claim(stage, key)
        start, cpu_start = time.monotonic(), cpu_seconds()
        student = distil(job.config, self._tensors(job), state, job.seed)
        machine = self.active[job.key].machine
        data = to_bytes(Checkpoint(student, {**identity(job), "key": key}, machine))
        seconds, cpu = time.monotonic() - start, cpu_seconds() - cpu_start
        self.artefacts.write(
            stage, key, updates, data, attempt=attempt, seconds=seconds, cpu_seconds=cpu, keep=True
        )

    def _meter_together(self, events: Iterable[EngineEvent]) -> None:
        """Measure the signals that several jobs are due for side by side."""
        jobs = [
            event.job
            for event in events
            if event.kind in ("mark", "finished")
            and EvalPoint(event.updates, 0) in event.job.evaluations
        ]
        if len(jobs) > 1:
            with suppress(UserError, Failure):  # whose it is shows when each is asked for its own
                due = [(job, self.engine.state(job.key)) for job in jobs]
                self.meter.together(due, self._tensors(jobs[0]))

    def _measured(self, job: Job, state: State, point: EvalPoint) -> Score:
        """Return the score or the signals that somebody waits for."""
        if point.kind == "signals":
            return self.meter.signals(job, state, self._tensors(job))
        return self._score(job, state, point.episodes)

    def _score(self, job: Job, state: State, episodes: int) -> Score:
        task, limit_s = job.task_facts, job.config.evaluation.timeout
        stuck = self._stuck(job)
        if (failure := was_ended(stuck, limit_s)) is not None:
            raise failure
        if job.stage == "critic":
            behaviour = self.job_store.state(job.upstream[0])
            with watched(limit_s, stuck) as beat:
                return score_best_by_q(task, job.config, behaviour, state, episodes, beat)
        acting = self.job_store.acting(job.config, state, (*job.upstream, job.snapshot))
        with watched(limit_s, stuck) as beat:
            return score_state(task, job.config, acting, episodes, beat=beat)

    def _stuck(self, job: Job) -> Path:
        """Return the file that says where a process stood; of a bucket, this machine's own."""
        folder = self.artefacts.folder(job.stage, job.key)
        if is_object(folder):  # a process that is being ended can put nothing there
            folder = data_cache() / "stuck" / folder.name
            folder.mkdir(parents=True, exist_ok=True)
        return folder / STUCK

    def _scores(self, job: Job, state: State) -> list[JobEvent]:
        events: list[JobEvent] = []
        for point in job.evaluations:
            if point.updates != state["updates"]:
                continue
            score = self.job_store.score(job, point)
            if score is None:
                name = job_score_name(job, point)
                try:
                    score = self._measured(job, state, point)
                except Diverged as error:
                    note = f"diverged-{name}"  # of this sampler: the weights may be fine
                    return [*events, self._diverged(job, state["updates"], str(error), note)]
                self.artefacts.write_sidecar(job.stage, job.key, name, score)
            events.append(self._report(point.kind, job, point.updates, score=score))
        return events

    def _diverged(self, job: Job, updates: int, reason: str, name: str = "diverged") -> JobEvent:
        note = {"updates": updates, "reason": reason}
        self.artefacts.write_sidecar(job.stage, job.key, name, note)
        return self._ended("diverged", job, updates, reason)

    def _report(
        self,
        kind: EventKind,
        job: Job,
        updates: int,
        *,
        score: Score | None = None,
        reason: str = "",
    ) -> JobEvent:
        seconds = self.active[job.key].seconds
        return JobEvent(kind, job.snapshot, updates, seconds, score, reason)


def _ending(error: Exception) -> EventKind:
    """Return how an error ends a job: taken over by another process, lost, or failed."""
    if isinstance(error, StaleToken):
        return "dropped"
    return "lost" if isinstance(error, Lost) else "failed"


def _warn_if_moved(job: Job, checkpoint: Checkpoint, machine: Mapping[str, Any]) -> None:
    """Say so if a job may not end bit for bit as on the machine that saved it."""
    if changes := moved(checkpoint.machine, machine):
        logger.warning(
            "%s %s goes on from update %d otherwise than it was saved (%s): its last bits may "
            "differ from an unbroken one's",
            job.stage,
            job.key,
            checkpoint.state["updates"],
            changes,
        )

"""The engine: slots in which jobs of equal shape train as one program, and come and go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from qipo_ray.agent import Diverged, Member, Pack, State, Tensors, pack_of
from qipo_ray.agent.blaming import blaming
from qipo_ray.errors import Failure, Lost, UserError
from qipo_ray.study.job import Job, fits_pack

LOG_EVERY = 100  # updates between metrics; a multiple of the absolute update, whatever the job

Kind = Literal["metrics", "mark", "finished", "diverged", "failed", "lost", "dropped", "parted"]


@dataclass(frozen=True)
class EngineEvent:
    """What happened to a job: metrics are means since the last ones, a mark waits for a score.

    What the code of a method breaks on is an end, too. It ``failed`` where that was the job's own
    doing. Where the update of several broke, none can be blamed: they are ``parted``, and each
    goes on alone from its checkpoint. Others that a new member broke are ``dropped``.
    """

    kind: Kind
    job: Job
    updates: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""


class Engine:
    """N slots. Members may be at different updates; all are of one shape at a time.

    ``advance`` returns as soon as a member reaches a mark, its end, or diverges, so that the
    caller can read its state at exactly that update. A member that ended stays in its slot until
    it is dropped.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.jobs: list[Job] = []
        self.pack: Pack | None = None
        self.broken = ""  # why the pack can be used no more

    def fits(self, job: Job) -> bool:
        """Return whether a slot is free for a job of this shape."""
        return len(self.jobs) < self.slots and fits_pack(job, self.jobs)

    def admit(
        self,
        job: Job,
        data: Tensors,
        upstream: Mapping[str, State],
        state: State | None = None,
        folder: Path | None = None,
    ) -> None:
        """Put a job into a free slot, fresh or where ``state`` left it.

        ``upstream`` holds the states of the stages it builds on; ``folder`` is for files of its
        own. ``ValueError`` if it does not fit.
        """
        if not self.fits(job):
            raise ValueError(f"no slot for {job.stage} {job.key} beside {len(self.jobs)} jobs")
        if not self.jobs:
            self.broken = ""
        try:
            with blaming(job.config):
                if not self.jobs:
                    self.pack = pack_of(job.stage, job.config, data)
                self._pack.admit(Member(job.config, job.seed, folder=folder), upstream, state)
        except (UserError, Failure):
            self.broken = f"a new member broke its pack, {job.stage} {job.key}"
            self.pack = self.pack if self.jobs else None
            raise
        self.jobs.append(job)

    @property
    def _pack(self) -> Pack:
        if self.pack is None:
            raise ValueError("the engine is empty")
        return self.pack

    def updates(self, key: str) -> int:
        """Return how far the job has come."""
        return self._pack.members[self._slot(key)].updates

    def state(self, key: str) -> State:
        """Return all that the job needs to go on from here."""
        i = self._slot(key)
        with blaming(self.jobs[i].config):
            return self._pack.state(i)

    def drop(self, key: str) -> None:
        """Free the job's slot."""
        i = self._slot(key)
        del self.jobs[i]
        if not self.jobs:
            self.pack = None
        elif not self.broken:
            self._pack.drop(i)

    def _slot(self, key: str) -> int:
        return next(i for i, job in enumerate(self.jobs) if job.key == key)

    def advance(self, updates: int) -> list[EngineEvent]:
        """Train all members for at most ``updates`` and return what happened, in order."""
        events: list[EngineEvent] = []
        if self.broken:
            return self._ended("dropped", self.broken)
        for _ in range(updates):
            try:
                with blaming(self.jobs[0].config):
                    self._pack.update()
            except (UserError, Failure) as error:
                self.broken = str(error)
                return events + self._ended(
                    "failed" if len(self.jobs) == 1 else "parted", str(error)
                )
            for i, job in enumerate(self.jobs):
                events += self._events(i, job)
            if any(event.kind != "metrics" for event in events):
                break
        return events

    def _ended(self, kind: Kind, reason: str) -> list[EngineEvent]:
        pairs = zip(self.jobs, self._pack.members, strict=False)  # a half new member is last
        return [EngineEvent(kind, job, member.updates, {}, reason) for job, member in pairs]

    def _events(self, i: int, job: Job) -> list[EngineEvent]:
        updates = self._pack.members[i].updates
        marked = any(updates == evaluation.updates for evaluation in job.evaluations)
        events = []
        try:
            with blaming(job.config):
                if updates % LOG_EVERY == 0 and (means := self._pack.metrics(i)):
                    events.append(EngineEvent("metrics", job, updates, means))
                if marked or updates >= job.length:
                    self._pack.check(i)
                    rows = self._pack.reports(i)
                    events += [EngineEvent("metrics", job, at, values) for at, values in rows]
        except Diverged as error:
            return [EngineEvent("diverged", job, updates, reason=str(error))]
        except (UserError, Failure) as error:
            kind: Kind = "lost" if isinstance(error, Lost) else "failed"
            return [EngineEvent(kind, job, updates, reason=str(error))]
        if updates >= job.length:
            events.append(EngineEvent("finished", job, updates))
        elif marked:
            events.append(EngineEvent("mark", job, updates))
        return events

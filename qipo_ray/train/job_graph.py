"""Which job may start next: the jobs that somebody waits for, and what they build on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from qipo_ray.config import STAGES
from qipo_ray.study.job import CheckpointRef, EvalPoint, Job, fits_pack
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train.job_store import JobStore


@dataclass
class _Entry:
    """A job in the graph, who waits for it, and whose slot it is in."""

    job: Job
    subscribers: set[str] = field(default_factory=set)
    owner: str | None = None


def _joined(first: Iterable[EvalPoint], second: Iterable[EvalPoint]) -> tuple[EvalPoint, ...]:
    return tuple(sorted({*first, *second}, key=lambda e: (e.updates, e.episodes)))


def _covers(job: Job, other: Job) -> bool:
    """Return whether a job is scored wherever another is to be."""
    return set(other.evaluations) <= set(job.evaluations)


def _order(job: Job) -> tuple[int, int]:
    return STAGES.index(job.stage), job.length


class JobGraph:
    """Jobs by snapshot; equal snapshots are one job, whoever asks for them.

    Jobs of one key run one at a time, the shortest first, so that a longer one continues it.
    Earlier stages go first: they have the longest chains behind them.
    """

    def __init__(self, job_store: JobStore) -> None:
        self.job_store = job_store
        self.entries: dict[CheckpointRef, _Entry] = {}
        self.done: set[CheckpointRef] = set()
        self.failed: dict[CheckpointRef, JobEvent] = {}  # how those ended that are given up
        self._in_slots: dict[str, dict[CheckpointRef, None]] = {}  # by owner, in order of start
        self.alone: set[str] = set()  # keys of jobs that share a pack with no other

    def add(self, job: Job, subscriber: str) -> None:
        """Add a job for a subscriber; equal ones get the union of their evaluations.

        They are scored as one says that asks for a score: another's method may act otherwise. One
        that nobody waits for any more, and that has ended, may be asked to act otherwise, too.
        """
        self._forget_ended(job.snapshot)
        entry = self.entries.get(job.snapshot)
        if entry is None:
            entry = self.entries[job.snapshot] = _Entry(job)
            self._look_up(entry.job)
        elif subscriber not in entry.subscribers or not _covers(entry.job, job):
            scored = entry.job if entry.job.evaluations else job
            evaluations = _joined(entry.job.evaluations, job.evaluations)
            entry.job = replace(scored, evaluations=evaluations)
            if job.snapshot in self.done:
                self.done.discard(job.snapshot)
                self._look_up(entry.job)
        entry.subscribers.add(subscriber)

    def _forget_ended(self, snapshot: CheckpointRef) -> None:
        """Forget a job that has ended in the store, where nobody waits for it."""
        entry, failure = self.entries.get(snapshot), self.failed.get(snapshot)
        if entry is None or entry.subscribers or entry.owner is not None:
            return
        if snapshot in self.done or (failure is not None and failure.kind == "diverged"):
            self.done.discard(snapshot)
            self.failed.pop(snapshot, None)
            del self.entries[snapshot]

    def _look_up(self, job: Job) -> None:
        divergence = self.job_store.divergence(job)
        if divergence is not None:
            at, reason = divergence["updates"], divergence["reason"]
            self.failed[job.snapshot] = JobEvent("diverged", job.snapshot, at, 0.0, reason=reason)
        elif self.job_store.done(job):
            self.done.add(job.snapshot)

    def withdraw(self, subscriber: str) -> list[Job]:
        """Forget a subscriber; return the running jobs that nobody waits for any more."""
        abandoned = []
        for snapshot, entry in list(self.entries.items()):
            entry.subscribers.discard(subscriber)
            if entry.subscribers or snapshot in self.done or snapshot in self.failed:
                continue
            if entry.owner is not None:
                abandoned.append(entry.job)
            else:
                del self.entries[snapshot]
        return abandoned

    def failure(self, snapshot: CheckpointRef) -> JobEvent | None:
        """Return the end of a job that can never be done, its own or that of one upstream."""
        if snapshot in self.failed:
            return self.failed[snapshot]
        entry = self.entries.get(snapshot)
        failures = (self.failure(s) for s in entry.job.upstream) if entry else iter(())
        return next((failure for failure in failures if failure is not None), None)

    def failure_reason(self, snapshot: CheckpointRef) -> str | None:
        """Return why a job can never be done: it or one upstream diverged or failed. Else None."""
        failure = self.failure(snapshot)
        return None if failure is None else failure.reason

    @property
    def left(self) -> list[Job]:
        """Jobs that are not done and can still be, in order of start."""
        left = [
            entry.job
            for snapshot, entry in self.entries.items()
            if snapshot not in self.done and self.failure_reason(snapshot) is None
        ]
        return sorted(left, key=_order)

    @property
    def _busy(self) -> set[str]:
        """Keys of the jobs in slots."""
        return {snapshot.key for owned in self._in_slots.values() for snapshot in owned}

    def start(self, owner: str, fits: Callable[[Job], bool] = lambda job: True) -> Job | None:
        """Give ``owner`` the next job that is ready and fits, or None."""
        busy, done = self._busy, self.done
        ready = [
            entry.job
            for snapshot, entry in self.entries.items()
            if entry.owner is None
            and entry.subscribers
            and snapshot not in done
            and entry.job.key not in busy
            and all(s in done for s in entry.job.upstream)
        ]
        for job in sorted(ready, key=_order):
            if self.failure_reason(job.snapshot) is None and fits(job):
                self._take(job.snapshot, owner)
                return job
        return None

    def _take(self, snapshot: CheckpointRef, owner: str) -> None:
        self.entries[snapshot].owner = owner
        self._in_slots.setdefault(owner, {})[snapshot] = None

    def fits(self, job: Job, pack: Sequence[Job]) -> bool:
        """Return whether a job may train in one pack with others."""
        parted = not self.alone.isdisjoint(member.key for member in (job, *pack))
        return not pack or (fits_pack(job, pack) and not parted)

    def adopt(self, job: Job, owner: str) -> bool:
        """Note that ``owner`` has a job in a slot; False if it should not have it there."""
        entry = self.entries.get(job.snapshot)
        if entry is None:
            entry = self.entries[job.snapshot] = _Entry(job)
            self._look_up(job)
        ended = job.snapshot in self.done or job.snapshot in self.failed
        if entry.owner is None and not ended and job.key not in self._busy:
            self._take(job.snapshot, owner)
        return entry.owner == owner

    def owned(self, owner: str) -> list[Job]:
        """Return the jobs in an owner's slots."""
        return [self.entries[snapshot].job for snapshot in self._in_slots.get(owner, ())]

    def release(self, owner: str, but: Collection[CheckpointRef] = ()) -> list[Job]:
        """Take back an owner's jobs, all ``but`` some; they go on from their checkpoints."""
        taken = [job for job in self.owned(owner) if job.snapshot not in but]
        for job in taken:
            self._free(job.snapshot)
        return taken

    def _free(self, snapshot: CheckpointRef) -> None:
        """Take a job out of its slot, and forget it if nobody waits for it."""
        entry = self.entries[snapshot]
        if entry.owner is not None:
            self._in_slots[entry.owner].pop(snapshot, None)
        entry.owner = None
        if not (entry.subscribers or snapshot in self.done or snapshot in self.failed):
            del self.entries[snapshot]

    def settle(self, event: JobEvent) -> bool:
        """Note the end of a job; return whether the event was one.

        A job that failed because something upstream is damaged waits until that is trained again.
        """
        if not event.leaves_slot:
            return False
        job = self.entries[event.snapshot].job
        if event.kind in ("failed", "lost"):
            finished = self.done.intersection(job.upstream)
            damaged = [s for s in finished if not self.job_store.done(self.entries[s].job)]
            self.done.difference_update(damaged)
            if not damaged:
                self.failed[job.snapshot] = event
        elif not event.goes_on:
            self._look_up(job)
        elif event.kind == "parted":
            self.alone.add(job.key)
        self._free(job.snapshot)
        return True

"""Which job may start next: the jobs that somebody waits for, and what they build on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count

from qipo_ray.config import STAGES
from qipo_ray.study.job import CheckpointRef, EvalPoint, Job, fits_pack
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train.job_store import JobStore


@dataclass
class _Entry:
    """A job in the graph, who waits for it, and whose slot it is in."""

    job: Job
    serial: int  # in order of coming
    subscribers: set[str] = field(default_factory=set)
    owner: str | None = None


def _joined(first: Iterable[EvalPoint], second: Iterable[EvalPoint]) -> tuple[EvalPoint, ...]:
    return tuple(sorted({*first, *second}, key=lambda e: (e.updates, e.episodes)))


def _covers(job: Job, other: Job) -> bool:
    """Return whether a job is scored wherever another is to be."""
    return set(other.evaluations) <= set(job.evaluations)


def _order(job: Job) -> tuple[int, int]:
    return STAGES.index(job.stage), job.length


_Line = list[tuple[tuple[int, int], int, CheckpointRef]]  # a heap: order, serial, job
_Refs = dict[CheckpointRef, None]  # in order of coming


class JobGraph:
    """Jobs by snapshot; equal snapshots are one job, whoever asks for them.

    Jobs of one key run one at a time, the shortest first, so that a longer one continues it.
    Earlier stages go first: they have the longest chains behind them.

    No call looks through all jobs. A job is put in line as soon as it may start; where that has
    changed since, it is passed over, and put in line again by what is then in its way.
    """

    def __init__(self, job_store: JobStore) -> None:
        self.job_store = job_store
        self.entries: dict[CheckpointRef, _Entry] = {}
        self.done: set[CheckpointRef] = set()
        self.failed: dict[CheckpointRef, JobEvent] = {}  # how those ended that are given up
        self._in_slots: dict[str, _Refs] = {}  # by owner, in order of start
        self._busy: set[str] = set()  # keys of the jobs in slots
        self._asked: dict[str, _Refs] = {}  # by subscriber
        self._of_key: dict[str, _Refs] = {}
        self._above: dict[CheckpointRef, _Refs] = {}  # what builds on a snapshot
        self._serials = count()
        self._line: _Line = []
        self._lines: dict[str, _Line] = {}  # the same by shape
        self.alone: set[str] = set()  # keys of jobs that share a pack with no other

    def add(self, job: Job, subscriber: str) -> None:
        """Add a job for a subscriber; equal ones get the union of their evaluations.

        They are scored as one says that asks for a score: another's method may act otherwise. One
        that nobody waits for any more, and that has ended, may be asked to act otherwise, too.
        """
        self._forget_ended(job.snapshot)
        entry = self.entries.get(job.snapshot)
        if entry is None:
            entry = self._enter(job)
        elif subscriber not in entry.subscribers or not _covers(entry.job, job):
            scored = entry.job if entry.job.evaluations else job
            evaluations = _joined(entry.job.evaluations, job.evaluations)
            entry.job = replace(scored, evaluations=evaluations)
            if job.snapshot in self.done:
                self.done.discard(job.snapshot)
                self._look_up(entry.job)
        entry.subscribers.add(subscriber)
        self._asked.setdefault(subscriber, {})[job.snapshot] = None
        self._offer(job.snapshot)

    def _enter(self, job: Job) -> _Entry:
        """Return the entry of a new job."""
        entry = self.entries[job.snapshot] = _Entry(job, next(self._serials))
        self._of_key.setdefault(job.key, {})[job.snapshot] = None
        for below in job.upstream:
            self._above.setdefault(below, {})[job.snapshot] = None
        self._look_up(job)
        return entry

    def _forget(self, snapshot: CheckpointRef) -> None:
        job = self.entries.pop(snapshot).job
        self._of_key[job.key].pop(snapshot)
        for below in job.upstream:
            self._above[below].pop(snapshot)

    def _forget_ended(self, snapshot: CheckpointRef) -> None:
        """Forget a job that has ended in the store, where nobody waits for it."""
        entry, failure = self.entries.get(snapshot), self.failed.get(snapshot)
        if entry is None or entry.subscribers or entry.owner is not None:
            return
        if snapshot in self.done or (failure is not None and failure.kind == "diverged"):
            self.done.discard(snapshot)
            self.failed.pop(snapshot, None)
            self._forget(snapshot)

    def _look_up(self, job: Job) -> None:
        divergence = self.job_store.divergence(job)
        if divergence is not None:
            at, reason = divergence["updates"], divergence["reason"]
            self.failed[job.snapshot] = JobEvent("diverged", job.snapshot, at, 0.0, reason=reason)
        elif self.job_store.done(job):
            self.finish(job.snapshot)

    def finish(self, snapshot: CheckpointRef) -> None:
        """Note that a job is done: what builds on it may start."""
        self.done.add(snapshot)
        for above in self._above.get(snapshot, ()):
            self._offer(above)

    def withdraw(self, subscriber: str) -> list[Job]:
        """Forget a subscriber; return the running jobs that nobody waits for any more."""
        abandoned = []
        for snapshot in self._asked.pop(subscriber, {}):
            entry = self.entries[snapshot]
            entry.subscribers.discard(subscriber)
            if entry.subscribers or snapshot in self.done or snapshot in self.failed:
                continue
            if entry.owner is not None:
                abandoned.append(entry.job)
            else:
                self._forget(snapshot)
        return abandoned

    def above(self, snapshot: CheckpointRef) -> list[CheckpointRef]:
        """Return the jobs that build on one."""
        return list(self._above.get(snapshot, ()))

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

    def _may_start(self, snapshot: CheckpointRef) -> bool:
        entry = self.entries.get(snapshot)
        return (
            entry is not None
            and entry.owner is None
            and bool(entry.subscribers)
            and snapshot not in self.done
            and snapshot not in self.failed
            and entry.job.key not in self._busy
            and self.done.issuperset(entry.job.upstream)
        )

    def _offer(self, snapshot: CheckpointRef) -> None:
        """Put a job in line if it may start."""
        if self._may_start(snapshot):
            entry = self.entries[snapshot]
            place = (_order(entry.job), entry.serial, snapshot)
            heappush(self._line, place)
            heappush(self._lines.setdefault(entry.job.shape, []), place)

    def _is_next(self, line: _Line) -> bool:
        """Return whether a line has a job that may start, which is then its first."""
        while line:
            _, serial, snapshot = line[0]
            if self._may_start(snapshot) and self.entries[snapshot].serial == serial:
                return True
            heappop(line)
        return False

    @property
    def waits(self) -> bool:
        """Whether a job is ready to start."""
        return self._is_next(self._line)

    def start(self, owner: str, pack: Sequence[Job] = ()) -> Job | None:
        """Give ``owner`` the next job that is ready and fits its pack, or None."""
        line = self._lines.get(pack[0].shape, []) if pack else self._line
        passed: _Line = []
        chosen = None
        while chosen is None and self._is_next(line):
            passed.append(heappop(line))
            job = self.entries[passed[-1][-1]].job
            chosen = job if self.fits(job, pack) else None
        for place in passed[: -1 if chosen else None]:
            heappush(line, place)
        if chosen is not None:
            self._take(chosen.snapshot, owner)
        return chosen

    def _take(self, snapshot: CheckpointRef, owner: str) -> None:
        self.entries[snapshot].owner = owner
        self._busy.add(snapshot.key)
        self._in_slots.setdefault(owner, {})[snapshot] = None

    def fits(self, job: Job, pack: Sequence[Job]) -> bool:
        """Return whether a job may train in one pack with others."""
        parted = not self.alone.isdisjoint(member.key for member in (job, *pack))
        return not pack or (fits_pack(job, pack) and not parted)

    def adopt(self, job: Job, owner: str) -> bool:
        """Note that ``owner`` has a job in a slot; False if it should not have it there."""
        entry = self.entries.get(job.snapshot)
        if entry is None:
            entry = self._enter(job)
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
            self._busy.discard(snapshot.key)
        entry.owner = None
        if not (entry.subscribers or snapshot in self.done or snapshot in self.failed):
            self._forget(snapshot)
        for waiting in self._of_key.get(snapshot.key, ()):
            self._offer(waiting)

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
            for below in damaged:
                self._offer(below)
            if not damaged:
                self.failed[job.snapshot] = event
        elif not event.goes_on:
            self._look_up(job)
        elif event.kind == "parted":
            self.alone.add(job.key)
        self._free(job.snapshot)
        return True

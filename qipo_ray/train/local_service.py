"""The training service on this machine, without Ray: for `train`, for debugging, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection, wait
from pathlib import Path

from qipo_ray.study.job import Job
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train.job_queue import JobQueue
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.local_workers import InProcessWorker, ProcessWorker, WorkerDied
from qipo_ray.train.training_service import EVERYONE

POLL_S = 5.0  # longest wait for an event of another process


class LocalTrainingService(AbstractContextManager["LocalTrainingService"]):
    """One job per process at a time; with one process all happens in this one.

    It trains while a subscriber polls. Leaving the ``with`` block saves the jobs in hand.
    """

    def __init__(self, root: Path, processes: int = 1, device: str = "cpu") -> None:
        self.slots = processes
        self.queue = JobQueue(JobStore(root))
        worker = InProcessWorker if processes == 1 else ProcessWorker
        self.workers: list[InProcessWorker | ProcessWorker] = []
        for number in range(processes):
            self.workers.append(worker(f"worker-{number}", root, device))
        self._seen: dict[str, int] = {}

    def __exit__(self, *_: object) -> None:
        """Save the jobs in hand and end the processes."""
        self.close()

    def submit(self, subscriber: str, jobs: Sequence[Job]) -> None:
        """Queue jobs and, among them, all that they build on; a job submitted again is no news."""
        self.queue.submit(subscriber, jobs)

    def poll(self, subscriber: str) -> list[JobEvent]:
        """Return the new events of a subscriber; if there are none, train first, for anyone.

        For ``"*"`` nothing is trained.
        """
        events = self._unread(subscriber)
        if not events and subscriber != EVERYONE:
            self._train()
            events = self._unread(subscriber)
        return events

    def cancel(self, subscriber: str) -> None:
        """Drop a subscriber; jobs that nobody waits for any more are saved and stopped."""
        self._seen.pop(subscriber, None)
        keys = {job.key for job in self.queue.cancel(subscriber)}
        for worker in self.workers:
            if worker.job is not None and worker.job.key in keys:
                self._take(worker, worker.job, worker.stop)

    def close(self) -> None:
        """Save the jobs in hand and end the processes, all at the same time."""
        for worker in self.workers:
            worker.hang_up()
        for worker in self.workers:
            worker.close()

    def _unread(self, subscriber: str) -> list[JobEvent]:
        self._seen[subscriber], events = self.queue.poll(subscriber, self._seen.get(subscriber, 0))
        return events

    def _train(self) -> None:
        """Give jobs to idle workers, and take in what the busy ones have to say."""
        for worker in self.workers:
            if worker.job is None and (job := self.queue.graph.start(worker.name)) is not None:
                try:
                    worker.start(job)
                except WorkerDied as death:
                    self._set_back(worker, job, death)
        for worker in self._ready():
            if worker.job is not None:
                self._take(worker, worker.job, worker.events)

    def _ready(self) -> list[InProcessWorker | ProcessWorker]:
        """Return the busy workers that have events, after a wait for the first of them."""
        busy = [worker for worker in self.workers if worker.job is not None]
        connections = {w.connection: w for w in busy if w.connection is not None}
        if not connections:
            return busy
        ready = wait(list(connections), POLL_S)
        return [
            connections[ready_connection]
            for ready_connection in ready
            if isinstance(ready_connection, Connection)
        ]

    def _take(
        self,
        worker: InProcessWorker | ProcessWorker,
        job: Job,
        ask: Callable[[], list[JobEvent]],
    ) -> None:
        """Settle what a worker says of its job; its death is a setback of the job."""
        try:
            for event in ask():
                self.queue.settle(event)
        except WorkerDied as death:
            self._set_back(worker, job, death)
        except BaseException:
            self.queue.graph.release(worker.name)
            raise

    def _set_back(
        self, worker: InProcessWorker | ProcessWorker, job: Job, death: WorkerDied
    ) -> None:
        self.queue.graph.release(worker.name)
        self.queue.set_back(job, str(death))

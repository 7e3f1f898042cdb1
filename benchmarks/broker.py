"""How long a broker takes for thousands of jobs and hundreds of workers, and what it holds.

    python benchmarks/broker.py [--jobs 10000] [--workers 800]

The broker alone, in this process, without Ray and without training: each simulated worker takes a
job and says at its next call that it has ended, as a trial's client submits and polls. What is
printed are seconds, calls, and memory beyond that of the imports.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from pathlib import Path

from qipo_ray.config import load_config
from qipo_ray.distributed.broker import Broker, Process
from qipo_ray.study.job import Job, Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train.job_store import JobStore


def megabytes() -> float:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def behaviours(count: int) -> list[Job]:
    """Return jobs that build on nothing, each of a key of its own."""
    config = load_config("quickstart")
    runs = [Run("point", config, seed, "point.hdf5", "a" * 64) for seed in range(count)]
    return [run.jobs[0] for run in runs]


class Remembered(JobStore):
    """A store that has the results of the jobs that it was told of."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.finished: set[Job] = set()

    def done(self, job: Job) -> bool:
        return job in self.finished


class Simulated:
    """A worker that trains nothing: a job has ended at the next call."""

    def __init__(self, broker: Broker, store: Remembered, name: str) -> None:
        self.broker, self.store = broker, store
        self.name, self.process = name, Process(name)
        self.active: list[Job] = []
        self.calls = 0

    async def work(self) -> None:
        """Take jobs until there are none."""
        while not self.broker.closing:
            self.store.finished.update(self.active)
            ended = [JobEvent("finished", job.snapshot, job.length, 0.0) for job in self.active]
            orders = await self.broker.pull(self.name, self.process, 1, [], ended)
            self.active, self.calls = list(orders.admit), self.calls + 1
            await asyncio.sleep(0)


async def follow(broker: Broker, trial: str, jobs: list[Job]) -> None:
    """Submit a trial's jobs and poll for their ends, as its client does."""
    life, last, ended = await broker.submit(trial, jobs), 0, 0
    while ended < len(jobs):
        _, last, events = await broker.poll(trial, life, last, 5.0)
        ended += sum(event.ended for event in events)
    await broker.cancel(trial)


async def measure(jobs: int, workers: int, root: Path) -> None:
    """Run all jobs and print what it took."""
    planned, before = behaviours(jobs), megabytes()
    broker, store = Broker(root), Remembered(root)
    broker.graph.job_store = store
    simulated = [Simulated(broker, store, f"worker-{i}") for i in range(workers)]
    start, cpu = time.monotonic(), time.process_time()
    working = [asyncio.create_task(worker.work()) for worker in simulated]
    pairs = [planned[i : i + 2] for i in range(0, jobs, 2)]
    await asyncio.gather(*(follow(broker, f"trial {i}", pair) for i, pair in enumerate(pairs)))
    took, cpu = time.monotonic() - start, time.process_time() - cpu
    await broker.close()
    await asyncio.gather(*working)
    calls = sum(worker.calls for worker in simulated)
    print(
        f"{jobs:,} jobs, {workers:,} workers: {took:.1f} s ({cpu:.1f} s of CPU), {calls:,} calls "
        f"of workers, {megabytes() - before:.0f} MB beyond {before:.0f} MB"
    )


def main() -> None:
    """Measure, with the numbers of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=800)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        asyncio.run(measure(chosen.jobs, chosen.workers, Path(root)))


if __name__ == "__main__":
    main()

"""The local executor: the jobs of one or more runs on this machine, one process a core, no Ray."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

import torch

from qipo_ray.errors import UserError
from qipo_ray.study.job import Job
from qipo_ray.study.job_events import JobEvent
from qipo_ray.train.job_graph import JobGraph
from qipo_ray.train.runner import JobRunner

Listener = Callable[[JobEvent], None]
STOP_LIMIT_S = 20.0  # for a process to notice that nobody listens, and leave


def execute(
    graph: JobGraph, root: Path, processes: int, listen: Listener, device: str = "cpu"
) -> None:
    """Train what is left of ``graph`` with results under ``root``; tell ``listen`` of each report.

    With one process all happens in this one. Ctrl-C leaves a state that the same call continues.
    ``UserError`` if a process dies.
    """
    workers = min(processes, len(graph.left))
    if workers > 1:
        _in_processes(graph, root, workers, listen, device)
    else:
        _in_this_process(graph, root, listen, device)


def _train(host: JobRunner, job: Job, tell: Listener) -> None:
    """Train one job to its end.

    What breaks it off may come in mid-update: nothing is saved then, and the job goes on from its
    last checkpoint, a few seconds back.
    """
    for report in host.admit(job):
        tell(report)
    while host.active:
        for report in host.step():
            tell(report)


def _in_this_process(graph: JobGraph, root: Path, listen: Listener, device: str) -> None:
    torch.set_num_threads(1)
    host = JobRunner(root, device=device)

    def tell(report: JobEvent) -> None:
        graph.settle(report)
        listen(report)

    while (job := graph.start("here")) is not None:
        _train(host, job, tell)


def _serve(connection: Connection, root: Path, device: str) -> None:
    """Train the jobs that come through ``connection`` until it closes, or its parent dies."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)
    host = JobRunner(root, device=device)
    try:
        while True:
            job = connection.recv()
            try:
                _train(host, job, connection.send)
            except UserError as error:
                connection.send(error)
                return
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Let processes that start here ignore Ctrl-C: their parent closes the connection instead."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _in_processes(graph: JobGraph, root: Path, count: int, listen: Listener, device: str) -> None:
    context = multiprocessing.get_context("spawn")
    workers: dict[Connection, SpawnProcess] = {}
    current: dict[Connection, Job] = {}
    try:
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, root, device))
            with _without_interrupts():
                process.start()
            theirs.close()
            workers[ours] = process
        while graph.left:
            _assign(graph, workers, current)
            for connection in wait(list(current)):
                assert isinstance(connection, Connection)
                report = _receive(connection, workers, current)
                if graph.settle(report):
                    del current[connection]
                listen(report)
    finally:
        for connection in workers:
            connection.close()
        for process in workers.values():
            process.join(STOP_LIMIT_S)
            if process.is_alive():
                process.kill()
                process.join()


def _assign(
    graph: JobGraph,
    workers: Iterable[Connection],
    current: dict[Connection, Job],
) -> None:
    for connection in workers:
        if connection not in current and (job := graph.start(str(connection))) is not None:
            current[connection] = job
            connection.send(job)


def _receive(
    connection: Connection,
    workers: dict[Connection, SpawnProcess],
    current: dict[Connection, Job],
) -> JobEvent:
    job = current[connection]
    try:
        news = connection.recv()
    except (EOFError, ConnectionResetError):
        workers[connection].join(STOP_LIMIT_S)
        code = workers[connection].exitcode
        raise UserError(
            f"the process that trained {job.stage} {job.key} of {job.task}, seed {job.seed}, "
            f"ended with code {code}; the same command continues from its newest checkpoint"
        ) from None
    if isinstance(news, UserError):
        raise news
    assert isinstance(news, JobEvent)
    return news

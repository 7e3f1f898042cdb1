"""``qipo-ray job``: the jobs of a cluster, their logs, and how to stop one."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import datetime

from qipo_ray.cli import output as out
from qipo_ray.distributed.job_server import GRACE_S, JobServer, JobState
from qipo_ray.errors import Failure

# A plain line of `output.Live`, as a sweep prints it where nobody sees a bar.
PROGRESS = re.compile(r"sweep .+?: (\d+) %, (?:ETA (\d+):(\d\d)|no ETA yet), (.*)")


def status(job: str | None, address: str | None, insecure: bool, json: bool) -> None:
    """Print the jobs of a cluster, or one of them."""
    server = JobServer.reach(address, insecure)
    jobs = server.jobs() if job is None else [server.job(job)]
    if json:
        out.print_json([asdict(state) for state in jobs])
        return
    titles = ["job", "sweep", "status", "begun", "ended", "results"]
    out.print_rows(titles, [_cells(state) for state in jobs], [False] * len(titles))
    if job is not None and jobs[0].message:
        out.write(jobs[0].message)


def logs(job: str, address: str | None, follow: bool, insecure: bool) -> None:
    """Print the log of a job, on to its end if it is followed."""
    server = JobServer.reach(address, insecure)
    server.job(job)
    if follow:
        follow_to_end(server, job)
    else:
        out.write(server.log(job))


def stop(job: str, address: str | None, insecure: bool) -> None:
    """Stop a job and wait until it has ended."""
    server = JobServer.reach(address, insecure)
    if (state := server.job(job)).over:
        out.write(f"job {job} has ended already: {state.status.lower()}")
        return
    out.remark(f"stopping {job}: it has up to {GRACE_S} seconds to save what it trains")
    if not (state := server.stop(job)).over:
        raise Failure(f"job {job} has not ended yet: `qipo-ray job status {job}`")
    out.write(f"job {job}: {state.status.lower()}")


def follow_to_end(server: JobServer, job: str) -> None:
    """Show what a job prints until it ends; ``Failure`` if it fails or is stopped."""
    try:
        with out.live(job) as live:
            for line in server.follow(job):
                progress = PROGRESS.fullmatch(line) if live.bar is not None else None
                if progress is None:
                    out.write(line)
                    continue
                share, minutes, seconds, detail = progress.groups()
                left = None if minutes is None else 60.0 * int(minutes) + int(seconds)
                live.update(int(share) / 100, left, detail)
        state = server.end(job)
    except KeyboardInterrupt:
        out.remark(f"the job goes on: `qipo-ray job logs {job} --follow`, or `job stop {job}`")
        raise
    if state.status != "SUCCEEDED":
        message = state.message.partition(", last available logs")[0].rstrip(".")
        raise Failure(f"job {job}: {state.status.lower()}: {message}; submitted again it goes on")


def _cells(job: JobState) -> list[str]:
    times = [
        "-" if t is None else datetime.fromtimestamp(t).strftime("%Y-%m-%d %H:%M")
        for t in (job.begun, job.ended)
    ]
    return [job.id, job.sweep or "-", job.status.lower(), *times, job.results or "-"]

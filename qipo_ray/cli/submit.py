"""``qipo-ray submit``: a sweep as a job of a Ray cluster, after a look at it."""

from __future__ import annotations

import secrets
import shlex
from pathlib import Path

from qipo_ray.cli import output as out
from qipo_ray.cli.doctor import check_cluster, refuse_failed
from qipo_ray.cli.job import follow_to_end
from qipo_ray.cli.sweep_line import SweepLine, read_line
from qipo_ray.distributed.job_server import JobServer, checked_address, is_exposed
from qipo_ray.distributed.packing import left_out
from qipo_ray.errors import UserError


def submit(
    line: list[str], address: str | None, folder: Path, wait: bool, check: bool, insecure: bool
) -> None:
    """Send a sweep to a cluster, print the job's id, and follow its log."""
    sweep = read_line(line, folder)
    excludes = left_out(folder, sweep.results)
    if is_exposed(url := checked_address(address)):
        out.remark(f"the token travels unencrypted to {url}; an SSH tunnel or https hides it")
    server = JobServer.reach(address, insecure)
    _refuse_second(server, sweep)
    if check:
        out.remark(f"looking at the machines of {url}")
        refuse_failed(check_cluster(server, folder, sweep.results, sweep), server)
    job = f"{sweep.spec.name}-{secrets.token_hex(4)}"
    arguments = [*sweep.arguments, *(["--insecure-cluster"] if insecure else [])]
    command = shlex.join(["python", "-m", "qipo_ray.sweep", *arguments])
    metadata = {"sweep": sweep.spec.name, "results": sweep.place}
    server.submit(job, command, folder, excludes, metadata)
    out.write(job)
    if wait:
        follow_to_end(server, job)
    else:
        out.remark(f"its log: `qipo-ray job logs {job} --follow`")


def _refuse_second(server: JobServer, sweep: SweepLine) -> None:
    """Refuse a sweep that a job of this cluster drives already."""
    for job in server.jobs():
        same = job.sweep == sweep.spec.name and job.results == sweep.place
        if same and not job.over:
            raise UserError(
                f"job {job.id} drives this sweep already: `qipo-ray job logs {job.id} --follow` "
                f"shows it, `qipo-ray job stop {job.id}` stops it"
            )

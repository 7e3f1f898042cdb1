"""``qipo-ray doctor``: what the program needs, here or on every machine of a cluster."""

from __future__ import annotations

import json as json_text
import re
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from qipo_ray.cli import output as out
from qipo_ray.cli.prepare import in_bucket
from qipo_ray.cli.sweep_line import SweepLine, read_line, refuse_vanishing
from qipo_ray.data.locate import find_dataset
from qipo_ray.distributed.cluster import this_machine
from qipo_ray.distributed.doctor import Check, check_machine
from qipo_ray.distributed.job_server import ONLY_LOOKS, JobServer
from qipo_ray.distributed.node_checks import check_nodes, check_room
from qipo_ray.distributed.packing import left_out
from qipo_ray.errors import Failure, UserError
from qipo_ray.store.bucket import as_uri
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.train.bucket_data import version_in_bucket

PRINTED = re.compile(r"^\[$.*^\]$", re.DOTALL | re.MULTILINE)  # JSON, among what Ray logs
CHECK_S = 600.0  # for its job; a new machine may first have to unpack what was sent
SIGNS = {"ok": "ok   ", "note": "note ", "fail": "FAIL "}


def doctor(
    cluster: str | None, results: Path | None, sweep: str | None, insecure: bool, json: bool
) -> None:
    """Print the checks of this machine, or of all machines of a cluster."""
    folder = Path()
    line = None
    if sweep is not None:
        words = _arguments(sweep, results)
        line = read_line(words, folder, job=False)
        told = any(word.partition("=")[0] == "--results" for word in words)
        results = line.results if told else None
    if cluster is not None and results is not None:
        refuse_vanishing(results)
    if cluster is None:
        checks = check_machine(results)
        if line is not None:
            checks += [check_room(line.spec.resources, [this_machine()]), *check_data(line.spec)]
    elif cluster == "auto":
        checks = check_nodes(results, None if line is None else line.spec.resources)
        checks += [] if line is None else check_data(line.spec)
    else:
        server = JobServer.reach(cluster, insecure)
        checks = check_cluster(server, folder, results, line)
    if json:
        out.print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            fix = f": {check.fix}" if check.fix else ""
            out.write(f"{SIGNS[check.state]} {check.name:<13}  {check.message}{fix}")
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(1)


def _arguments(sweep: str, results: Path | None) -> list[str]:
    try:
        line = shlex.split(sweep)
    except ValueError as error:
        raise UserError(f"--sweep {sweep!r}: {error}") from None
    return line if results is None else ["--results", str(results), *line]  # whose own is last


def check_cluster(
    server: JobServer, folder: Path, results: Path | None, line: SweepLine | None
) -> list[Check]:
    """Return the checks of all machines of a cluster, by a job that looks at each."""
    head = Check("head", "ok", f"{server.address}, Ray {server.ray_version}")
    command = ["python", "-m", "qipo_ray", "doctor", "--cluster", "auto", "--json"]
    if line is not None:
        command += ["--sweep", shlex.join(line.arguments)]
    elif results is not None:
        command += ["--results", str(results)]
    job = f"check-{secrets.token_hex(4)}"
    excludes = left_out(folder, results or Path("results"))
    server.submit(job, shlex.join(command), folder, excludes, ONLY_LOOKS)
    if not (state := server.end(job, CHECK_S)).over:
        raise Failure(
            f"the check on the cluster has not ended in {CHECK_S:.0f} s: `ray job logs {job}`"
        )
    log = server.log(job)
    if (printed := PRINTED.search(log)) is None:
        # A folder that cannot be unpacked is told by the state alone.
        last = (log.strip() or state.message or "it printed nothing").splitlines()[-1]
        raise Failure(f"the check on the cluster failed: {last:.300}")
    return [head, *(Check(**fields) for fields in json_text.loads(printed[0]))]


def check_data(spec: SearchSpec) -> list[Check]:
    """Return for each task of a sweep whether its data are here, or can be made."""
    checks = []
    for name in spec.tasks:
        task = spec.task_facts(name)
        try:
            given = spec.data.get(name)
            if (uri := in_bucket(task, given)) is not None:
                version_in_bucket(uri)
                place = as_uri(uri)
            else:
                place = str(find_dataset(task, given)[0])
            checks.append(Check(f"data {name}", "ok", place))
        except UserError as error:
            if task.has_generator and name not in spec.data:
                checks.append(Check(f"data {name}", "ok", "made at first use"))
                continue
            message, _, fix = str(error).partition("; ")
            checks.append(Check(f"data {name}", "fail", message, fix))
    return checks


def refuse_failed(checks: Sequence[Check], server: JobServer) -> None:
    """Raise ``UserError`` with the first check that failed."""
    failed = [check for check in checks if check.state == "fail"]
    if failed:
        first, more = failed[0], len(failed) - 1
        rest = f" ({more} more: `qipo-ray doctor --cluster {server.address}`)" if more else ""
        raise UserError(f"the cluster, {first.name}: {first.message}; {first.fix}{rest}")

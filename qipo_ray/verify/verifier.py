"""`verify`: the audit of the files, then every check, then a report."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qipo_ray.errors import UserError
from qipo_ray.store.records import gc_paused
from qipo_ray.study.objective import SCORE
from qipo_ray.study.saved_spec import FILE
from qipo_ray.verify.artefact_checks import check_artefacts
from qipo_ray.verify.audit import Audit, Finding, audit_files
from qipo_ray.verify.confirm_checks import check_confirmed
from qipo_ray.verify.record_checks import check_records
from qipo_ray.verify.run_counts import UNENDED, count_runs
from qipo_ray.verify.search_checks import check_search
from qipo_ray.verify.specifications import specifications
from qipo_ray.verify.sweep_plan import SweepPlan
from qipo_ray.verify.table_checks import check_tables


@dataclass(frozen=True)
class VerifyReport:
    """The result of `verify`: ``faults`` are wrong; ``remarks`` are worth knowing."""

    sweep: str
    driver: str | None  # at work meanwhile: then only ended runs are judged
    counts: Mapping[str, int] | None  # of runs; None where nothing was planned, as by `train`
    files: int  # of artefacts, hashed
    bytes: int
    faults: tuple[Finding, ...]
    remarks: tuple[Finding, ...]

    @property
    def planned(self) -> int:
        """Number of planned runs."""
        return sum((self.counts or {}).values())

    def document(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**asdict(self), "planned": self.planned}


def verify(
    root: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> VerifyReport:
    """Return the faults, remarks and counts of the results at ``root``; no file is changed.

    ``progress(done, total)`` counts jobs. ``UserError`` if ``root`` is no folder of results.
    """
    if not any((root / name).exists() for name in (FILE, "records", "artefacts")):
        below = sorted(str(path.parent) for path in root.glob(f"*/{FILE}"))
        hint = f"; there are {', '.join(below)}" if below else ""
        raise UserError(f"{root}: no sweep; expected a folder with {FILE} or records/{hint}")
    with gc_paused():
        audit = audit_files(root, progress)
        counts = _judge(audit)
    return VerifyReport(
        sweep=str(root),
        driver=None if audit.driver is None else str(audit.driver),
        counts=counts,
        files=audit.files,
        bytes=audit.bytes,
        faults=tuple(audit.faults),
        remarks=tuple(audit.remarks),
    )


def _judge(audit: Audit) -> dict[str, int] | None:
    """Return the counts of a sweep's runs by state, after every check."""
    spec, earlier = specifications(audit)
    readable = check_records(audit, current=spec is not None)
    counts, complete = None, False
    if spec is not None:
        plan = SweepPlan(spec, earlier, audit)
        _check_belonging(plan, audit)
        check_search(plan, audit)
        counts = dict(count_runs(plan, audit, check_confirmed(plan, audit)))
        complete = not any(counts[state] for state in UNENDED)
    if os.path.lexists(audit.root / FILE):
        check_tables(audit, complete=complete)
    check_artefacts(audit, readable)
    return counts


def _check_belonging(plan: SweepPlan, audit: Audit) -> None:
    """Note the records that are of another sweep or data set, or were not made by a sweep."""
    for record in audit.records:
        data, path = plan.data(record["task"]), audit.record_path(record["id"])
        if record["purpose"] == "single":
            audit.remark(path, "no run of the sweep: made by `qipo-ray train` in its folder")
        elif record["sweep"] != plan.spec.name:
            audit.fault(path, f"of another sweep, {record['sweep']!r}")
        elif data and record["data"]["sha256"] not in data:
            audit.fault(path, f"made with other data than {FILE} names")
        elif (chose := record["protocol"].get("objective", SCORE)) != plan.spec.objective:
            audit.fault(path, f"objective: {chose!r}, the sweep's is {plan.spec.objective!r}")

"""`verify` itself: every check in turn, and what they found."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qipo_ray.errors import UserError
from qipo_ray.store.records import gc_paused
from qipo_ray.study.saved_spec import FILE
from qipo_ray.verify.artefact_checks import check_evidence
from qipo_ray.verify.audit import Audit, Finding, audit
from qipo_ray.verify.config_cache import Configs
from qipo_ray.verify.confirm_checks import check_confirmed
from qipo_ray.verify.record_checks import check_records
from qipo_ray.verify.run_counts import OPEN, accounts
from qipo_ray.verify.search_checks import check_search
from qipo_ray.verify.specifications import specifications
from qipo_ray.verify.sweep_plan import SweepPlan
from qipo_ray.verify.table_checks import check_tables


@dataclass(frozen=True)
class VerifyReport:
    """What `verify` found. ``faults`` are wrong; ``remarks`` are not, but worth knowing."""

    sweep: str
    driver: str | None  # that was at work meanwhile; only what had ended was judged
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
    """Return what is right and wrong with the results at ``root``; nothing there is changed.

    ``UserError`` if it is no folder of results.
    """
    if not any((root / name).exists() for name in (FILE, "records", "artefacts")):
        below = sorted(str(path.parent) for path in root.glob(f"*/{FILE}"))
        hint = f"; there are {', '.join(below)}" if below else ""
        raise UserError(f"{root}: no sweep; expected a folder with {FILE} or records/{hint}")
    with gc_paused():
        found = audit(root, progress)
        counts = _judge(found)
    return VerifyReport(
        sweep=str(root),
        driver=None if found.driver is None else str(found.driver),
        counts=counts,
        files=found.files,
        bytes=found.bytes,
        faults=tuple(found.faults),
        remarks=tuple(found.remarks),
    )


def _judge(found: Audit) -> dict[str, int] | None:
    """Return the counts of a sweep's runs, after every check of what was read."""
    spec, earlier = specifications(found)
    configs, counts = Configs(), None
    readable = check_records(found, configs, ours=spec is not None)
    complete = False
    if spec is not None:
        plan = SweepPlan(spec, earlier, found, configs)
        _check_belonging(plan, found)
        check_search(plan, found)
        counts = dict(accounts(plan, found, check_confirmed(plan, found)))
        complete = not any(counts[state] for state in OPEN)
    if os.path.lexists(found.root / FILE):
        check_tables(found, complete=complete)
    check_evidence(found, readable)
    return counts


def _check_belonging(plan: SweepPlan, found: Audit) -> None:
    """Hold the records to the sweep: its name, its data, its two kinds of runs."""
    for record in found.records:
        data = plan.data(record["task"])
        if record["purpose"] == "single":
            path = found.record_path(record["id"])
            found.remark(path, "no run of the sweep: made by `qipo-ray train` in its folder")
        elif record["sweep"] != plan.spec.name:
            path = found.record_path(record["id"])
            found.fault(path, f"of another sweep, {record['sweep']!r}")
        elif data and record["data"]["sha256"] not in data:
            path = found.record_path(record["id"])
            found.fault(path, f"made with other data than {FILE} names")

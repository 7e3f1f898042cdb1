"""The records of the confirm step, held to what the search gives."""

from __future__ import annotations

from qipo_ray.verify.audit import Audit
from qipo_ray.verify.sweep_plan import Planned, Record, SweepPlan
from qipo_ray.version import __version__


def check_confirmed(plan: SweepPlan, found: Audit) -> set[str]:
    """Return the ids of the confirm records that were planned; the others are faults.

    Planned is what the search gives as it stands, or what it gave under a specification that
    ``--extend`` replaced. A confirm step that began before all trials had ended is a fault, too.
    """
    planned = set()
    for record in found.records:
        if record["purpose"] != "confirm" or record["sweep"] != plan.spec.name:
            continue
        problem = _unplanned(plan, record)
        before = problem is None or plan.earlier
        earlier = before and _fits(record, plan.confirmed_before(record)) is None
        if problem is None or earlier:
            planned.add(record["id"])
            plan.begun = plan.begun or not earlier
        else:
            path = found.record_path(record["id"])
            found.fault(path, f"the sweep did not plan this run: {problem}")
    if plan.begun and not plan.over and found.driver is None:
        _missing(plan, found)
    return planned


def _unplanned(plan: SweepPlan, record: Record) -> str | None:
    """Return why the specification in force does not confirm a run, or None."""
    task, seeds = record["task"], plan.spec.report_seeds
    if task not in plan.spec.tasks:
        return f"{task} is none of its tasks"
    if record["seed"] not in seeds:
        return f"{record['seed']} is none of its report seeds {', '.join(map(str, seeds))}"
    return _fits(record, plan.confirmed(task))


def _fits(record: Record, planned: list[Planned]) -> str | None:
    """Return why a record is of none of these choices, or None."""
    same = [one for one in planned if one.config_hash == record["config_hash"]]
    if not same:
        return "its configuration is not among those that the search chose"
    differences = min((one.differs(record) for one in same), key=len)
    if record["provenance"]["version"] != __version__:  # which may have used another name
        differences = [one for one in differences if not one.startswith("label.name")]
    return "; ".join(differences) or None


def _missing(plan: SweepPlan, found: Audit) -> None:
    """Name what is not there of the search, though the confirm step waited for all of it."""
    after = "though the confirm step, which comes after the search, has begun"
    for record, (trial, seed) in plan.open.items():
        path = found.record_path(record)
        found.fault(path, f"missing (trial {trial.id}, seed {seed}), {after}")
    for task, trials in plan.missing.items():
        had = plan.spec.trials - trials
        words = f"{had} of {plan.spec.trials} trials of {task} are there, {after}"
        found.fault(found.root / "trials", words)

"""Check the records of the confirm step against the configurations that the search selects."""

from __future__ import annotations

from qipo_ray.verify.audit import Audit
from qipo_ray.verify.sweep_plan import PlannedConfig, Record, SweepPlan
from qipo_ray.version import __version__


def check_confirmed(plan: SweepPlan, audit: Audit) -> set[str]:
    """Return the ids of the confirm records that were planned; the others are faults.

    Planned is what the search selects now, or what it selected under a specification that
    ``--extend`` replaced. A confirm step that began before all trials had ended is a fault, too.
    """
    planned = set()
    for record in audit.records:
        if record["purpose"] not in ("confirm", "acting") or record["sweep"] != plan.spec.name:
            continue
        problem = _unplanned(plan, record)
        before = problem is None or plan.earlier
        earlier = before and _misfit(record, plan.confirmed_before(record)) is None
        if problem is None or earlier:
            planned.add(record["id"])
            plan.confirm_begun = plan.confirm_begun or not earlier
        else:
            path = audit.record_path(record["id"])
            audit.fault(path, f"the sweep did not plan this run: {problem}")
    if plan.confirm_begun and not plan.search_ended and audit.driver is None:
        _note_missing(plan, audit)
    return planned


def _unplanned(plan: SweepPlan, record: Record) -> str | None:
    """Return why the specification in force does not confirm a run, or None."""
    task = record["task"]
    if task not in plan.spec.tasks:
        return f"{task} is none of its tasks"
    planned = plan.confirmed(task)
    equal = [config for config in planned if config.config_hash == record["config_hash"]]
    seeds = dict.fromkeys(seed for config in equal or planned for seed in plan.seeds(config))
    if record["seed"] not in seeds:
        return f"{record['seed']} is none of its report seeds {', '.join(map(str, seeds))}"
    return _misfit(record, planned)


def _misfit(record: Record, planned: list[PlannedConfig]) -> str | None:
    """Return why a record is of none of the planned configurations, or None."""
    equal = [config for config in planned if config.config_hash == record["config_hash"]]
    if not equal:
        return "its configuration is not among those that the search chose"
    differences = min((config.differs(record) for config in equal), key=len)
    if record["provenance"]["version"] != __version__:  # which may have used another name
        differences = [line for line in differences if not line.startswith("label.name")]
    return "; ".join(differences) or None


def _note_missing(plan: SweepPlan, audit: Audit) -> None:
    """Note the runs and trials of the search that are missing though the confirm step began."""
    after = "though the confirm step, which comes after the search, has begun"
    for record, (trial, seed) in plan.unrecorded.items():
        path = audit.record_path(record)
        audit.fault(path, f"missing (trial {trial.id}, seed {seed}), {after}")
    for task, trials in plan.missing.items():
        present = plan.spec.trials - trials
        message = f"{present} of {plan.spec.trials} trials of {task} are there, {after}"
        audit.fault(audit.root / "trials", message)

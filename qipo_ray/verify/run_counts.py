"""Counts of a sweep's planned runs by their state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from qipo_ray.config import Config, stage_keys
from qipo_ray.store.records import new_id
from qipo_ray.verify.audit import Audit
from qipo_ray.verify.sweep_plan import SweepPlan

ENDED = ("finished", "pruned", "diverged", "failed")  # states of a record
UNENDED = ("interrupted", "never started")


def count_runs(plan: SweepPlan, audit: Audit, confirmed: set[str]) -> Counter[str]:
    """Return the number of planned runs by state; the sum is the number of planned runs.

    An ``interrupted`` run has an intent and a checkpoint but no record. The confirm step is
    planned once all trials have ended, since only then its configurations are selected. The
    records with ids in ``confirmed`` were planned, now or under an earlier specification.
    """
    count: Counter[str] = Counter(dict.fromkeys((*ENDED, *UNENDED), 0))
    for trial in plan.trials.values():
        for seed in trial.seeds:
            record = plan.search_id(trial, seed)
            if record in plan.records or record in plan.unrecorded:
                count[_state(plan, audit, record, trial.task, trial.config, seed)] += 1
    for trials in plan.missing.values():
        count["never started"] += trials * len(plan.spec.search_seeds)
    confirm_runs = dict(_confirm_runs(plan)) if plan.search_ended else {}
    for record, (task, config, seed) in confirm_runs.items():
        count[_state(plan, audit, record, task, config, seed)] += 1
    for record in confirmed - confirm_runs.keys():
        count[plan.records[record]["state"]] += 1
    return count


def _confirm_runs(plan: SweepPlan) -> Iterator[tuple[str, tuple[str, Config, int]]]:
    """Yield the runs of the confirm step by the id of their record."""
    spec = plan.spec
    for task in spec.tasks:
        for planned in plan.confirmed(task):
            for seed in plan.seeds(planned):
                record = new_id(spec.name, planned.choice.purpose, task, planned.config_hash, seed)
                yield record, (task, planned.choice.config, seed)


def _state(
    plan: SweepPlan, audit: Audit, record: str, task: str, config: Config, seed: int
) -> str:
    """Return the state of a run."""
    if record in plan.records:
        return str(plan.records[record]["state"])
    for sha256 in plan.data(task):
        keys = stage_keys(config, task, sha256, seed)
        if any(audit.snapshots.get(job) or audit.unread.get(job) for job in keys.items()):
            return "interrupted"
    return "never started"

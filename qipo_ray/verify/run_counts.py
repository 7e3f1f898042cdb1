"""A sweep's books: what was planned, and what became of every run of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from qipo_ray.config import Config, stage_keys
from qipo_ray.store.records import new_id
from qipo_ray.verify.audit import Audit
from qipo_ray.verify.sweep_plan import SweepPlan

ENDS = ("finished", "pruned", "diverged", "failed")  # states of a record
OPEN = ("interrupted", "never started")


def accounts(plan: SweepPlan, found: Audit, confirmed: set[str]) -> Counter[str]:
    """Return how many of the planned runs stand where; the sum is the number of planned runs.

    ``interrupted`` has an intent and a checkpoint but no record. The confirm step is planned from
    the moment that all trials have ended, for only then is it known what it confirms; records in
    ``confirmed`` were planned, by what is known now or by what was known before.
    """
    count: Counter[str] = Counter(dict.fromkeys((*ENDS, *OPEN), 0))
    for trial in plan.trials.values():
        for seed in trial.seeds:
            record = plan.search_id(trial, seed)
            if record in plan.records or record in plan.open:
                count[_state(plan, found, record, trial.task, trial.config, seed)] += 1
    for trials in plan.missing.values():
        count["never started"] += trials * len(plan.spec.search_seeds)
    ahead = dict(_confirm_runs(plan)) if plan.over else {}
    for record, (task, config, seed) in ahead.items():
        count[_state(plan, found, record, task, config, seed)] += 1
    for record in confirmed - ahead.keys():
        count[plan.records[record]["state"]] += 1
    return count


def _confirm_runs(plan: SweepPlan) -> Iterator[tuple[str, tuple[str, Config, int]]]:
    """Yield the runs of the confirm step by the id of their record."""
    spec = plan.spec
    for task in spec.tasks:
        for planned in plan.confirmed(task):
            for seed in spec.report_seeds:
                record = new_id(spec.name, "confirm", task, planned.config_hash, seed)
                yield record, (task, planned.choice.config, seed)


def _state(
    plan: SweepPlan, found: Audit, record: str, task: str, config: Config, seed: int
) -> str:
    """Return where a run stands."""
    if record in plan.records:
        return str(plan.records[record]["state"])
    for sha256 in plan.data(task):
        keys = stage_keys(config, task, sha256, seed)
        if any(found.snapshots.get(job) or found.unread.get(job) for job in keys.items()):
            return "interrupted"
    return "never started"

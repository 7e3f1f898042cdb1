"""The plan of a sweep, computed anew: its trials, and the configurations that it confirms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from qipo_ray.config import config_hash
from qipo_ray.errors import UserError
from qipo_ray.leaderboard.race import Race, race_of
from qipo_ray.store.records import new_id
from qipo_ray.study.saved_spec import SavedSpec
from qipo_ray.study.selection import SelectedConfig, select_configs, spent_episodes
from qipo_ray.study.trial import BROKEN, Trial
from qipo_ray.verify.audit import Audit
from qipo_ray.verify.config_cache import read_config

Record = Mapping[str, Any]


@dataclass(frozen=True)
class PlannedConfig:
    """A configuration to confirm, with the values that its records must have."""

    choice: SelectedConfig
    config_hash: str
    episodes_spent: int  # by the search of its task

    def differs(self, record: Record) -> list[str]:
        """Return the fields of a record that differ, a line each.

        The selection episodes that a record names lie between those that decided and all that
        the search spent.
        """
        fields = {
            "label.name": (record["label"]["name"], self.choice.name),
            "trial": (record["trial"], self.choice.trial),
            "purpose": (record["purpose"], self.choice.purpose),
        }
        lines = [f"{key} {old!r}, not {new!r}" for key, (old, new) in fields.items() if old != new]
        spent, lower = record["protocol"]["selection_episodes"], self.choice.selection_episodes
        upper = self.episodes_spent if lower else 0
        if not lower <= spent <= upper:
            span = f"{lower} to {upper}" if lower < upper else str(lower)
            lines.append(f"protocol.selection_episodes {spent}, not {span}")
        return lines


class SweepPlan:
    """The trials of a sweep, and what follows from them under each of its specifications."""

    def __init__(self, saved: SavedSpec, earlier: Sequence[SavedSpec], audit: Audit) -> None:
        self.saved, self.spec, self.earlier = saved, saved.spec, earlier
        self.trials = {trial.id: trial for trial in _read_trials(audit)}
        self.entries, self.sidecars = audit.entries, audit.sidecars
        self.records = {record["id"]: record for record in audit.records}
        self.broken = {
            record["trial"]
            for record in audit.records
            if record["purpose"] == "search" and record["state"] in BROKEN
        }
        self.confirm_begun = False  # set by check_confirmed
        self._confirmed: dict[tuple[int, str, int], list[PlannedConfig]] = {}

    def data(self, task: str) -> set[str]:
        """Return the SHA-256 of a task's data, as the specifications name it."""
        return {saved.data[task] for saved in (self.saved, *self.earlier) if task in saved.data}

    def search_id(self, trial: Trial, seed: int) -> str:
        """Return the id of a run's record."""
        return new_id(self.spec.name, "search", trial.task, trial.config_hash, seed)

    @property
    def missing(self) -> dict[str, int]:
        """Number of trials without an intent, by task; none where the space is used up.

        A continuum of four digits may be used up, too: then the confirm step has begun.
        """
        if self.confirm_begun and not self.spec.finite:
            return {}
        return {task: n for task, n in self._unplanned.items() if n}

    @cached_property
    def _unplanned(self) -> dict[str, int]:
        count = {}
        for task in self.spec.tasks:
            hashes = [trial.config_hash for trial in self._trials(task)]
            left = max(0, self.spec.trials - len(hashes))
            count[task] = 0 if left and self.spec.exhausted_by(set(hashes)) else left
        return count

    @cached_property
    def unrecorded(self) -> dict[str, tuple[Trial, int]]:
        """Trial and seed of each run without a record, by the record's id, for tasks in force."""
        return {
            record: (trial, seed)
            for trial in self.trials.values()
            for seed in trial.seeds
            if trial.task in self.spec.tasks
            and (record := self.search_id(trial, seed)) not in self.records
        }

    @property
    def search_ended(self) -> bool:
        """Whether all trials have ended, which decides what is to be confirmed."""
        return not self.missing and not self.unrecorded

    def confirmed(self, task: str) -> list[PlannedConfig]:
        """Return the configurations of a task that the specification in force confirms."""
        return self._select(self.saved, task, self._trials(task))

    def seeds(self, planned: PlannedConfig) -> tuple[int, ...]:
        """Return the report seeds of a configuration, with those that the race gave it by now."""
        return (*self.spec.report_seeds, *self._race.seeds[planned.choice.contender])

    @cached_property
    def _race(self) -> Race:
        selected = [config.choice for task in self.spec.tasks for config in self.confirmed(task)]
        return race_of(self.spec, selected, self.records)

    def confirmed_before(self, record: Record) -> list[PlannedConfig]:
        """Return what earlier specifications confirmed when a record was made."""
        ended = parse_time(record["provenance"]["ended"])
        task = record["task"]
        trials = [trial for trial in self._trials(task) if parse_time(trial.written) <= ended]
        return [
            planned
            for saved in self.earlier
            if task in saved.spec.tasks
            and record["seed"] in (*saved.spec.report_seeds, *saved.spec.race)
            for planned in self._select(saved, task, trials)
        ]

    def _select(self, saved: SavedSpec, task: str, trials: Sequence[Trial]) -> list[PlannedConfig]:
        """Return the configurations that are selected among the first trials of a task."""
        key = (id(saved), task, len(trials))
        spec = saved.spec
        if key not in self._confirmed:
            choices = select_configs(task, spec, trials, self.entries, self.broken)
            spent = spent_episodes(task, saved.data[task], trials, self.entries, self._has_sidecar)
            self._confirmed[key] = [
                PlannedConfig(choice, config_hash(choice.config), spent) for choice in choices
            ]
        return self._confirmed[key]

    def _trials(self, task: str) -> list[Trial]:
        return [trial for trial in self.trials.values() if trial.task == task]

    def _has_sidecar(self, key: str, name: str) -> bool:
        return name in self.sidecars.get(("policy", key), {})


def parse_time(text: str) -> datetime:
    """Return a time as the store writes it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _read_trials(audit: Audit) -> list[Trial]:
    """Return the trials whose configuration can be read; the others are faults."""
    trials = []
    for intent in audit.intents:
        path = audit.intent_path(intent["id"])
        cached = read_config(intent["config"])
        if isinstance(cached, UserError):
            audit.fault(path, str(cached))
            continue
        if cached.hash != intent["config_hash"]:
            audit.fault(path, "its configuration does not have the hash that it names")
        trials.append(replace(Trial.from_intent(intent), config=cached.config))
    return trials

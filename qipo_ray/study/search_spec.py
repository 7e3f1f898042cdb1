"""A sweep's specification: what is searched, on which tasks and seeds, and how it is decided."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from qipo_ray.config import Config, FieldError, config_hash, to_dict, to_document
from qipo_ray.config.values import show
from qipo_ray.data.tasks import Task, get_task
from qipo_ray.errors import UserError
from qipo_ray.study.objective import SCORE, Objective
from qipo_ray.study.parameter import Parameter, points
from qipo_ray.study.prior import Prior


@dataclass(frozen=True)
class Resources:
    """Where a sweep trains; it does not change what is trained."""

    workers: int | Literal["auto"]  # auto: one per CPU core or GPU
    cpus: float  # per worker
    gpus: float  # per worker
    slots: int  # members per worker that train as one pack
    max_share: float = 1.0  # of the cluster's room for such workers
    wait: bool = False  # for room that there is not yet, which an autoscaler is asked for

    def document(self) -> dict[str, Any]:
        """Return its settings as plain data; those of a cluster where they were given."""
        plain = dataclasses.asdict(self)
        shared = {"max_share": 1.0, "wait": False}
        return {key: value for key, value in plain.items() if shared.get(key) != value}


@dataclass(frozen=True)
class Baseline:
    """A configuration that stands beside what is searched, under its name."""

    name: str
    config: Config


@dataclass(frozen=True)
class Acting:
    """A way to act by which what is found is scored once more, under its name; nothing trains."""

    name: str
    changes: tuple[tuple[str, Any], ...]  # of settings that are in no stage's key

    def of(self, config: Config) -> Config | None:
        """Return the configuration that acts so; None where its method cannot, or does already."""
        try:
            other = changed(config, dict(self.changes))
        except FieldError:
            return None
        return None if config_hash(other) == config_hash(config) else other


@dataclass(frozen=True)
class SearchSpec:
    """The resolved contents of a search file."""

    name: str  # of the sweep
    tasks: tuple[str, ...]
    base: Config
    paper: Config | None  # the paper-form configuration, tried first and always confirmed
    parameters: tuple[Parameter, ...]  # each after those that its `when` names
    trials: int  # per task, the paper's among them
    search_seeds: tuple[int, ...]
    report_seeds: tuple[int, ...]
    shares: tuple[float, ...]  # of the policy stage, rising to 1
    reduction: int
    top: int  # configurations to confirm, per task and path
    resources: Resources
    source: str  # the file's name, for messages
    baselines: tuple[Baseline, ...] = ()  # confirmed beside, never searched
    acting: tuple[Acting, ...] = ()  # in which what was found is scored, too
    objective: Objective = SCORE  # what trials are compared and chosen by
    race: tuple[int, ...] = ()  # further report seeds, for those that are not clearly worse
    prior: Prior | None = None  # trials of another sweep that it begins with
    # That sweep's folder, as the file names it: read once, then `prior` holds what counts.
    warm_start: Path | None = field(default=None, compare=False)
    # Of some tasks, the file of their data: where it lies, so no part of what is searched.
    data: Mapping[str, Path] = field(default_factory=dict, compare=False)
    # Users' own tasks by id: what their ids, which hold their hashes, stand for.
    own_tasks: Mapping[str, Task] = field(default_factory=dict, compare=False)
    # Where the base came from: what the file started from, and the place of every change to it.
    preset: str | Path = field(default="", compare=False)
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    saved_hash: str | None = field(default=None, compare=False)  # in the sweep's folder

    def task_facts(self, task_id: str) -> Task:
        """Return one of its tasks."""
        return self.own_tasks.get(task_id) or get_task(task_id)

    @property
    def finite(self) -> bool:
        """Whether the space has a last point."""
        return all(parameter.options is not None for parameter in self.parameters)

    def exhausted_by(self, hashes: Collection[str]) -> bool:
        """Return whether trials with these configurations' hashes leave nothing to try."""
        if not self.finite:
            return False
        try:
            configs = (self.configuration(params) for params in points(self.parameters))
            return all(config_hash(config) in hashes for config in configs)
        except UserError:
            return False

    def configuration(self, params: Mapping[str, Any]) -> Config:
        """Return the base with a value for every parameter that is active, and no other.

        ``UserError`` with file, line and key for a value outside the space or the settings.
        """
        rest = dict(params)
        values: dict[str, Any] = {}
        for parameter in self.parameters:
            if not parameter.active(values):
                continue
            title = f"{parameter.location}: space.{parameter.key}"
            if parameter.key not in rest:
                raise UserError(f"{title} has no value")
            try:
                values[parameter.key] = parameter.check(rest.pop(parameter.key))
            except ValueError as problem:
                raise UserError(f"{title} {problem}") from None
        for key in rest:
            raise UserError(f"{self.source}: {show(key)} is not searched beside {flow(values)}")
        try:
            return changed(self.base, values)
        except FieldError as problem:
            locations = {parameter.key: parameter.location for parameter in self.parameters}
            location = next(
                (locations[key] for key in problem.fields if key in values), self.source
            )
            raise UserError(f"{location}: {problem} (with {flow(values)})") from None

    def params_of(self, config: Config) -> dict[str, Any] | None:
        """Return the values that give ``config``; None if it lies outside the space."""
        settings = flat(config)
        values: dict[str, Any] = {}
        try:
            for parameter in self.parameters:
                if parameter.active(values):
                    values[parameter.key] = parameter.check(settings[parameter.key])
            return values if self.configuration(values) == config else None
        except (ValueError, UserError):
            return None

    def document(self) -> dict[str, Any]:
        """Return everything as plain data; paper and baselines as differences from the base."""
        beside = {b.name: settings_between(self.base, b.config) for b in self.baselines}
        ways = {way.name: dict(way.changes) for way in self.acting}
        return {
            "name": self.name,
            "tasks": list(self.tasks),
            "base": to_document(self.base),
            "paper": None if self.paper is None else settings_between(self.base, self.paper),
            **({"baselines": beside} if beside else {}),
            **({"acting": ways} if ways else {}),
            "space": {parameter.key: parameter.document() for parameter in self.parameters},
            **({"objective": self.objective} if self.objective != SCORE else {}),
            **({} if self.prior is None else {"prior": self.prior.document()}),
            "trials": self.trials,
            "seeds": {"search": list(self.search_seeds), "report": list(self.report_seeds)},
            "rungs": {"shares": list(self.shares), "reduction": self.reduction},
            "confirm": {"top": self.top, **({"race": list(self.race)} if self.race else {})},
            "resources": self.resources.document(),
        }

    @property
    def hash(self) -> str:
        """Return 16 hex digits of all but the resources: a sweep may move to another machine.

        A sweep keeps the hash that its folder names: a setting that came later, at the value that
        means what was before, does not make it another.
        """
        if self.saved_hash is not None:
            return self.saved_hash
        plain = {key: value for key, value in self.document().items() if key != "resources"}
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def changed(config: Config, changes: Mapping[str, Any]) -> Config:
    """Return ``config`` with other values at dotted keys; ``FieldError`` if it refuses them."""
    sections: dict[str, dict[str, Any]] = {}
    for key, value in changes.items():
        section, name = key.split(".")
        sections.setdefault(section, {})[name] = value
    parts: dict[str, Any] = {name: config.section(name) for name in sections}
    return config.replaced(
        {name: dataclasses.replace(part, **sections[name]) for name, part in parts.items()}
    )


def flat(config: Config) -> dict[str, Any]:
    """Return every setting by its dotted key."""
    return {
        f"{section}.{name}": value
        for section, settings in to_dict(config).items()
        for name, value in settings.items()
    }


def settings_between(base: Config, config: Config) -> dict[str, Any]:
    """Return the settings of ``config`` that are not those of ``base``, by dotted key."""
    before = flat(base)
    return {key: value for key, value in flat(config).items() if value != before[key]}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return a line per difference of two documents, the resources aside: ``trials: 8 -> 12``."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    return [
        f"{key}: {before.get(key, 'nothing'):.100} -> {after.get(key, 'nothing'):.100}"
        for key in dict.fromkeys([*before, *after])
        if before.get(key) != after.get(key)
    ]


def _leaves(document: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted key and text of every value; a parameter's line is one value."""
    for key, value in document.items():
        if not above and key == "resources":
            continue
        if isinstance(value, Mapping) and above != "space.":
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", flow(value)


def flow(value: Any) -> str:
    """Return a value as YAML writes it on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    return f"{value:.6g}" if isinstance(value, float) else str(value)

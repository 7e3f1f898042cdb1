"""The study of one task: which configuration comes next, and what is known of those before.

A study is its facts: what was asked, in which order, and how each trial ended. For every question
an Optuna study is built anew from them, in memory, so that a sweep that was broken off asks on
exactly as it would have.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from qipo_ray.config import Config, config_hash, from_dict
from qipo_ray.store.intents import trial_id
from qipo_ray.study.parameter import points
from qipo_ray.study.search_spec import SearchSpec, flat
from qipo_ray.sweep.tpe import DashboardJournal, Sampler, State, TrialFacts

End = tuple[str, float | None, int | None]  # finished | pruned | failed, value, rung
TRIES = 20  # times that the sampler may repeat itself before the points left are walked


@dataclass(frozen=True)
class Suggestion:
    """A configuration to try; ``params`` holds the searched settings that are active in it."""

    params: dict[str, Any]
    config: Config
    origin: Literal["paper", "grid", "search"]


class Study:
    """Asks for configurations of one task and is told how they ended."""

    def __init__(self, spec: SearchSpec, task: str, journal: Path | None = None) -> None:
        """Begin without facts; ``journal`` is written anew with the first one."""
        self.spec, self.task = spec, task
        self._facts: dict[str, TrialFacts] = {}  # by trial id, in the order they were asked for
        self._mirror = None if journal is None else DashboardJournal(journal, spec, task)

    def restore(
        self,
        intents: Iterable[Mapping[str, Any]],
        entries: Iterable[Mapping[str, Any]],
        ended: Mapping[str, End],
    ) -> list[Suggestion]:
        """Take in the store's facts; return the trials without an end, to be started again.

        ``entries`` are the rung log's; ``ended`` says per trial how it ended, as ``tell`` takes
        it. What belongs to other tasks is left aside.
        """
        own = [intent for intent in intents if intent["task"] == self.task]
        running = []
        for intent in sorted(own, key=lambda intent: int(intent["position"])):
            config = from_dict(intent["config"], f"intent {intent['id']}")
            self._add(intent["id"], self.spec.params_of(config))
            if intent["id"] not in ended:
                running.append(Suggestion(dict(intent["params"]), config, intent["origin"]))
        for entry in entries:
            if entry["trial"] in self._facts:
                self.report(entry["trial"], entry["rung"], entry["value"])
        for trial in self._facts:
            if trial in ended:
                self.tell(trial, *ended[trial])
        return running

    def ask(self) -> Suggestion | None:
        """Return the next configuration, or None: the trials or the space are used up.

        The paper's comes first, then every point of the grids, then what Optuna suggests. None
        comes twice: what is known of a repeated one is told to Optuna, and it is asked again.
        """
        if len(self._facts) >= self.spec.trials:
            return None
        suggestion = self._next()
        if suggestion is not None:
            params = self.spec.params_of(suggestion.config)
            self._add(self._id(suggestion.config), params)
        return suggestion

    def report(self, trial: str, rung: int, value: float | None) -> None:
        """Note a trial's value at a rung, the first of which counts; not finite: no value."""
        if value is not None and math.isfinite(value) and rung not in self._facts[trial].at_rungs:
            self._facts[trial].at_rungs[rung] = value
            self._copy(trial)

    def tell(
        self, trial: str, state: str, value: float | None = None, rung: int | None = None
    ) -> None:
        """Note how a trial ended: ``finished``, ``pruned`` at a rung, or ``failed``; once counts.

        One that ended without a finite value failed, whatever it is called.
        """
        fact = self._facts[trial]
        if fact.state != "running":
            return
        if state == "failed" or value is None or not math.isfinite(value):
            fact.state = "failed"
        else:
            fact.state, fact.value = cast(State, state), value
            if rung is not None:
                fact.at_rungs.setdefault(rung, value)
        self._copy(trial)

    def _id(self, config: Config) -> str:
        return trial_id(self.spec.name, self.task, config_hash(config))

    def _add(self, trial: str, params: dict[str, Any] | None) -> None:
        self._facts[trial] = TrialFacts(params)
        self._copy(trial)

    def _copy(self, trial: str) -> None:
        if self._mirror is not None:
            self._mirror.show(trial, self._facts[trial])

    def _next(self) -> Suggestion | None:
        """Return an untried configuration; it is not yet a fact."""
        paper = self.spec.paper
        if paper is not None and self._id(paper) not in self._facts:
            return Suggestion(searched(self.spec, paper), paper, "paper")
        for point in self._uncovered():
            suggestion = self._suggest(point, "grid")
            if suggestion is not None:
                return suggestion
        return self._suggest({}, "search") or self._left_over()

    def _uncovered(self) -> list[dict[str, Any]]:
        """Return the points of the grids that no trial has, in the order of the file."""
        grids = [parameter for parameter in self.spec.parameters if parameter.kind == "grid"]
        keys = {parameter.key for parameter in grids}
        tried = [
            {key: value for key, value in fact.params.items() if key in keys}
            for fact in self._facts.values()
            if fact.params is not None
        ]
        return [point for point in points(grids) if point not in tried] if grids else []

    def _suggest(
        self, fixed: Mapping[str, Any], origin: Literal["grid", "search"]
    ) -> Suggestion | None:
        """Return Optuna's suggestion around ``fixed``; None if it knows only tried ones."""
        advice = Sampler(self.spec, self.task, self._facts.values())
        for _ in range(TRIES):
            params, tell = advice.ask(fixed)
            config = self.spec.configuration(params)
            known = self._facts.get(self._id(config))
            if known is None:
                return Suggestion(params, config, origin)
            tell(known)
        return None

    def _left_over(self) -> Suggestion | None:
        """Return the first untried configuration of a finite space."""
        if any(parameter.options is None for parameter in self.spec.parameters):
            return None
        for params in points(self.spec.parameters):
            config = self.spec.configuration(params)
            if self._id(config) not in self._facts:
                return Suggestion(params, config, "search")
        return None


def searched(spec: SearchSpec, config: Config) -> dict[str, Any]:
    """Return the active searched settings of a configuration, also where they lie outside."""
    settings = flat(config)
    values: dict[str, Any] = {}
    for parameter in spec.parameters:
        if parameter.active(values):
            values[parameter.key] = settings[parameter.key]
    return values

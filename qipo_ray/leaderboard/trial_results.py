"""The trials of a search, read from its records: what was tried, how far it came, what it cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from qipo_ray.leaderboard.rows import Record, lookup, origin_of
from qipo_ray.study.objective import SCORE, SIGNALS, measured, sign
from qipo_ray.study.parameter import condition
from qipo_ray.study.selection import PAPER_ORIGIN
from qipo_ray.study.trial import BROKEN, TrialState

Value = str | int | float | bool


@dataclass(frozen=True)
class TrialResult:
    """A configuration that the search tried on one task, over its search seeds."""

    task: str
    source: str
    params: Mapping[str, Value]  # those that were searched, by dotted name; inactive ones absent
    value: float | None  # mean score, or what the search went by, at the last rung reached
    rung: float  # the last one that it reached; -1 for none
    state: TrialState
    episodes: int  # of online evaluation, spent on it
    objective: str = SCORE  # what the value is of: more is better

    @property
    def axis(self) -> str:
        """What an axis of values is called."""
        if self.objective == SCORE:
            return "score"
        return ("-" if sign(self.objective) < 0 else "") + SIGNALS[self.objective]


def trial_results(records: Iterable[Record], space: Mapping[str, Any]) -> list[TrialResult]:
    """Return the trials of the search, by task, in the order in which they ended.

    ``space`` is that of ``sweep.yaml``: the parameters, each with the condition of its search. The
    paper's form is left out: it was not searched, and differs in more than the parameters.
    """
    groups: defaultdict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record["purpose"] == "search" and record["label"]["name"] != PAPER_ORIGIN:
            groups[record["task"], record["data"]["sha256"], record["config_hash"]].append(record)
    ordered = sorted(groups.values(), key=lambda group: (group[0]["task"], _ended(group)))
    return [_trial_result(group, space) for group in ordered]


def active_params(config: Mapping[str, Any], space: Mapping[str, Any]) -> dict[str, Value]:
    """Return the searched values of a configuration, without those whose ``when`` is not met."""
    params: dict[str, Value] = {}
    for key, parameter in space.items():
        value = lookup(config, key.split("."))
        conditions: Mapping[str, Any] = parameter.get("when", {})
        met = all(
            (above := lookup(config, k.split("."))) is not None and above in condition(asked)
            for k, asked in conditions.items()
        )
        if value is not None and met:
            params[key] = value
    return params


def _trial_result(records: Sequence[Record], space: Mapping[str, Any]) -> TrialResult:
    first = records[0]
    states = {record["state"] for record in records}
    worst_first = (*BROKEN, TrialState.PRUNED)
    state = next((state for state in worst_first if state in states), TrialState.FINISHED)
    objective = first["protocol"].get("objective", SCORE)
    kind = "scores" if objective == SCORE else "signals"
    last = [measured(objective, record[kind][-1]) for record in records if record.get(kind)]
    values = [sign(objective) * value for value in last if value is not None]
    rungs = [record["reached"]["rung"] for record in records]
    return TrialResult(
        task=first["task"],
        source=origin_of(first),
        params=active_params(first["config"], space),
        value=fmean(values) if values and state not in BROKEN else None,
        rung=min(-1.0 if rung is None else float(rung) for rung in rungs),
        state=state,
        episodes=sum(score["episodes"] for record in records for score in record["scores"]),
        objective=objective,
    )


def _ended(records: Sequence[Record]) -> str:
    return max(str(record["provenance"]["ended"]) for record in records)


def is_number(value: Value) -> bool:
    """Say whether a searched value is a number; booleans are choices."""
    return isinstance(value, int | float) and not isinstance(value, bool)

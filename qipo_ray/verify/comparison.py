"""Comparison of a reproduced run with its record: the same number, within rounding, or not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qipo_ray.verify.reproduction import Recipe

Record = Mapping[str, Any]
Score = Mapping[str, Any]
SIGMAS = 1.96  # of the normal 95 % interval


@dataclass(frozen=True)
class Comparison:
    """Whether a number was reproduced, and a line that says how the two compare."""

    same: bool
    text: str


def compare(recipe: Recipe, record: Record, new: Record, exact: bool) -> Comparison:
    """Return whether a new run reproduced a record's number; not if they cannot be compared.

    With ``exact`` the last score (mean, standard deviation, normalised score, success rate) and
    all others that both records have, during training and cloning's, must be equal to the last
    bit. Else the means of the last score may differ by 1.96 standard errors of the difference
    over episodes. A run that diverged without a score must end for the same reason.
    """
    if recipe.expected is None:
        return _compare_ends(record, new)
    if recipe.expected["mean"] is None or recipe.expected["std"] is None:
        return Comparison(False, "not compared: the recorded score is null")
    before, after = _scores(record), _scores(new)
    last = _name(recipe.expected)
    if last not in after:
        reason = f" ({new['reason']})" if new["reason"] else ""
        ended = f"the run here {new['state']}{reason}"
        return Comparison(False, f"not compared: no score at {last}; {ended}")
    text = f"recorded {recipe.expected['normalised']!r}, here {after[last]['normalised']!r}"
    both = [name for name in before if name in after and name != last]
    unequal = [name for name in both if before[name] != after[name]]
    if after[last] != recipe.expected:
        return _compare_means(text, recipe.expected, after[last], exact)
    if unequal and exact:
        return Comparison(False, f"{text}: equal, but others differ ({', '.join(unequal)})")
    beside = "" if unequal or not both else f"; so are, beside it, {', '.join(both)}"
    return Comparison(True, f"{text}: equal to the last bit{beside}")


def _compare_ends(record: Record, new: Record) -> Comparison:
    old_end, new_end = (f"{run['state']} ({run['reason']})" for run in (record, new))
    same = record["state"] == "diverged" and old_end == new_end
    return Comparison(same, f"recorded {old_end}, here {new_end}")


def _scores(record: Record) -> dict[str, Score]:
    """Return all scores of a record by name: update and episodes, or cloning."""
    scores = {_name(score): score for score in record["scores"]}
    if record["final"]["last"]:
        scores[_name(record["final"]["last"])] = record["final"]["last"]
    if record["behaviour_cloning"]:
        scores["cloning"] = record["behaviour_cloning"]
    return scores


def _name(score: Score) -> str:
    return f"update {score['updates']} over {score['episodes']} episodes"


def _compare_means(text: str, old: Score, new: Score, exact: bool) -> Comparison:
    """Return the comparison of two last scores that are not equal to the last bit."""
    difference = new["mean"] - old["mean"]
    text = f"{text}: the mean return differs by {difference:+.3g}"
    if exact:
        return Comparison(False, f"{text}; nothing here should change the rounding")
    limit = SIGMAS * math.hypot(_error(old), _error(new))
    same = abs(difference) <= limit
    sign = "within" if same else "more than"
    return Comparison(same, f"{text}, {sign} {limit:.3g}, which is {SIGMAS} standard errors")


def _error(score: Score) -> float:
    """Return the standard error of a mean over episodes; ``std`` is the population's."""
    return float(score["std"]) / math.sqrt(max(1, score["episodes"] - 1))

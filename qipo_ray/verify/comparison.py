"""What counts as the same number: two records of one configuration and seed, held together."""

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
    """Whether a number was reproduced, and the words for it."""

    same: bool
    words: str


def compare(made: Recipe, record: Record, new: Record, exact: bool) -> Comparison:
    """Return whether a new run came to a record's number; what was not compared did not.

    ``exact``: equal to the last bit are the last score (mean, standard deviation, normalised
    score, share of successes) and all others that both records have, on the way and cloning's.
    Else the last score's mean may differ by 1.96 standard errors of that difference, over the
    episodes. A run that diverged without a score has to end for the same reason.
    """
    if made.expected is None:
        return _ends(made, new)
    if made.expected["mean"] is None or made.expected["std"] is None:
        return Comparison(False, "not compared: the recorded score is null")
    then, now = _scores(record), _scores(new)
    last = _name(made.expected)
    if last not in now:
        why = f" ({new['reason']})" if new["reason"] else ""
        ended = f"the run here {new['state']}{why}"
        return Comparison(False, f"not compared: no score at {last}; {ended}")
    words = f"recorded {made.expected['normalised']!r}, here {now[last]['normalised']!r}"
    both = [name for name in then if name in now and name != last]
    unequal = [name for name in both if then[name] != now[name]]
    if now[last] != made.expected:
        return _near(words, made.expected, now[last], exact)
    if unequal and exact:
        return Comparison(False, f"{words}: equal, but others differ ({', '.join(unequal)})")
    beside = "" if unequal or not both else f"; so are, beside it, {', '.join(both)}"
    return Comparison(True, f"{words}: equal to the last bit{beside}")


def _ends(made: Recipe, new: Record) -> Comparison:
    there, here = (f"{made.state} ({made.reason})", f"{new['state']} ({new['reason']})")
    return Comparison(made.state == "diverged" and there == here, f"recorded {there}, here {here}")


def _scores(record: Record) -> dict[str, Score]:
    """Return all scores of a record by what they are of."""
    found = {_name(score): score for score in record["scores"]}
    if record["final"]["last"]:
        found[_name(record["final"]["last"])] = record["final"]["last"]
    if record["behaviour_cloning"]:
        found["cloning"] = record["behaviour_cloning"]
    return found


def _name(score: Score) -> str:
    return f"update {score['updates']} over {score['episodes']} episodes"


def _near(words: str, then: Score, now: Score, exact: bool) -> Comparison:
    """Return what is said of two last scores that are not equal to the last bit."""
    difference = now["mean"] - then["mean"]
    told = f"{words}: the mean return differs by {difference:+.3g}"
    if exact:
        return Comparison(False, f"{told}; nothing here should round otherwise than there")
    limit = SIGMAS * math.hypot(_error(then), _error(now))
    same = abs(difference) <= limit
    sign = "within" if same else "more than"
    return Comparison(same, f"{told}, {sign} {limit:.3g}, which is {SIGMAS} standard errors")


def _error(score: Score) -> float:
    """Return the standard error of a mean over episodes; ``std`` is the population's."""
    return float(score["std"]) / math.sqrt(max(1, score["episodes"] - 1))

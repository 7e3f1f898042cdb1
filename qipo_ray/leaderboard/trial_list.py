"""The trials of a sweep as they stand now, ended or not: from intents, rung log and records.

Nothing is written: any shell may look while the sweep runs.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qipo_ray.errors import UserError
from qipo_ray.store.intents import FOLDER, INTENTS
from qipo_ray.store.records import read_records
from qipo_ray.store.rung_log import LOG_FILE, RungLog
from qipo_ray.study.objective import SCORE, plain
from qipo_ray.study.saved_spec import FILE, read_spec
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.study.trial import TrialState

Document = Mapping[str, Any]


@dataclass(frozen=True)
class ListedTrial:
    """One configuration of a search, and how far it is."""

    id: str
    task: str
    number: int  # in the search of its task, from 1
    origin: str  # paper | grid | search
    params: Mapping[str, Any]  # the searched settings, by dotted key
    seeds: tuple[int, ...]
    state: TrialState
    rungs: tuple[int, ...]  # policy updates at each
    values: tuple[float | None, ...]  # at the rungs that were reached: more is better
    reason: str | None  # why it was stopped, or broke; None while it runs, and at its end
    records: tuple[str, ...]  # ids, in the order of the seeds
    objective: str = SCORE  # what the values are of

    @property
    def score(self) -> float | None:
        """The value at the last rung that was reached."""
        return self.values[-1] if self.values else None

    @property
    def rank(self) -> tuple[bool, int, float]:
        """What sorts the trials of a task, the best first: as the search ranks them."""
        score = -math.inf if self.score is None else self.score
        return self.state.broken, -len(self.values), -score

    def document(self) -> dict[str, Any]:
        """Return it as plain data, its values as they were measured."""
        values = [plain(self.objective, value) for value in self.values]
        return {**asdict(self), "values": values, "score": plain(self.objective, self.score)}


def listed_trials(root: Path, task: str | None = None) -> list[ListedTrial]:
    """Return the trials of a sweep's folder, those of one ``task`` or all, in their order.

    ``UserError`` if the folder holds no sweep.
    """
    sweep_spec(root)
    values: defaultdict[str, dict[int, float | None]] = defaultdict(dict)
    for entry in RungLog(root / LOG_FILE).read():
        values[entry["trial"]][entry["rung"]] = entry["value"]
    runs: defaultdict[str, dict[int, Document]] = defaultdict(dict)
    for record in read_records(root):
        if record["purpose"] == "search":
            runs[record["trial"]][record["seed"]] = record
    return [
        _listed(intent, values[intent["id"]], runs[intent["id"]])
        for intent in sound_intents(root)
        if task in (None, intent["task"])
    ]


def sweep_spec(root: Path) -> SearchSpec:
    """Return the specification in force of a sweep's folder; ``UserError`` if it holds none."""
    try:
        return read_spec(root / FILE).spec
    except FileNotFoundError:
        raise UserError(f"no sweep in {root}: it has no {FILE}") from None
    except (OSError, ValueError) as problem:
        line = " ".join(str(problem).split())
        raise UserError(f"{root / FILE}: not readable: {line:.200}") from None


def sound_intents(root: Path) -> list[Document]:
    """Return the sound intents of a sweep, in order; the sweep itself sees to others."""
    intents = []
    for path in (root / FOLDER).glob("[!.]*.json"):
        try:
            intents.append(INTENTS.read(path))
        except (OSError, ValueError):
            continue
    return sorted(intents, key=lambda intent: (intent["task"], intent["position"]))


def _listed(
    intent: Document,
    values: Mapping[int, float | None],
    runs: Mapping[int, Document],
) -> ListedTrial:
    records = [runs[seed] for seed in intent["seeds"] if seed in runs]
    ended = len(records) == len(intent["seeds"])
    state = _state(records) if ended else TrialState.RUNNING
    told = ended and state is not TrialState.FINISHED
    reason = next((record["reason"] for record in records if told and record["reason"]), None)
    return ListedTrial(
        id=intent["id"],
        task=intent["task"],
        number=intent["position"] + 1,
        origin=intent["origin"],
        params=intent["params"],
        seeds=tuple(intent["seeds"]),
        state=state,
        rungs=tuple(intent["rungs"]),
        values=tuple(values[rung] for rung in sorted(values)),
        reason=reason,
        records=tuple(record["id"] for record in records),
        objective=intent.get("objective", SCORE),
    )


def _state(records: Iterable[Document]) -> TrialState:
    """Return how a trial ended: as the first of its runs that broke, else as all did."""
    states = [TrialState(record["state"]) for record in records]
    return next((state for state in states if state.broken), states[0])

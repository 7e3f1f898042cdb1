"""OGBench's ``.npz``: trajectories without rewards, which a single task's goal gives them.

A file has T + 1 states and actions of a trajectory, the last action without meaning; ``terminals``
mark a trajectory's last state and end nothing else. Of a state ``qpos`` and ``button_states`` are
kept; the rewards of a single task follow from them, and ``masks``, 1 where it is not yet reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from qipo_ray.data.faults import Unusable, quoted
from qipo_ray.data.imports.recording import Columns, Recording, episode, flags, numbers
from qipo_ray.data.ogbench_table import NUMBERS, table
from qipo_ray.errors import UserError, nearest

REQUIRED = ("observations", "actions", "terminals", "qpos")
BUTTONS = "button_states"


@dataclass(frozen=True, eq=False)
class Place:
    """Numbers ``columns`` of ``qpos`` that should be within ``tolerance`` of ``target``."""

    columns: slice
    target: npt.NDArray[np.float64]
    tolerance: float


@dataclass(frozen=True, eq=False)
class Goal:
    """What a single task wants of a state: all of ``places``, and the states of ``buttons (K,)``.

    ``width`` are the numbers of a ``qpos``, ``version`` is that of the package that said it.
    """

    environment: str
    version: str
    width: int
    places: tuple[Place, ...]
    buttons: npt.NDArray[np.int64]

    def judge(
        self, qpos: npt.NDArray, states: npt.NDArray | None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return rewards ``(N,)``, minus what is missing, and masks ``(N,)``, 0 where nothing is.

        As the package since 1.2.0 does it: of the state in which an action is taken.
        """
        parts = [_near(qpos[:, place.columns], place) for place in self.places]
        if states is not None:
            parts += list((states == self.buttons).T)
        reached = np.stack(parts)
        rewards: npt.NDArray[np.int64] = np.sum(reached, axis=0) - len(parts)
        masks: npt.NDArray[np.bool_] = ~np.all(reached, axis=0)
        return rewards.astype(np.float32), masks.astype(np.float32)


def goal_of(environment: str) -> Goal:
    """Return what a single task wants of a state, such as ``cube-single-singletask-task2-v0``.

    ``UserError`` if the table has none of this name.
    """
    rows = table()["environments"]
    domain, _, rest = environment.removesuffix("-v0").partition("-singletask")
    number = rest.removeprefix("-task")
    if domain not in rows or environment not in _names(domain):
        names = [name for each in rows for name in _names(each)]
        raise UserError(
            f"OGBench {table()['package']} has no single task {environment!r}"
            f"{nearest(environment, names)}, or it shows pictures; an example is {names[1]}"
        )
    facts = rows[domain]
    task = int(number or facts["default"]) - 1
    places = [
        Place(slice(first, first + len(target)), np.array(target), facts["tolerance"])
        for first, target in zip(facts["columns"], facts["targets"][task], strict=True)
    ]
    buttons = np.array(facts["buttons"][task], np.int64)
    return Goal(environment, table()["package"], facts["qpos_size"], tuple(places), buttons)


def _names(domain: str) -> list[str]:
    """Return what the package calls an environment's tasks; the first is an alias of one."""
    ends = ("", *(f"-task{number}" for number in NUMBERS))
    return [f"{domain}-singletask{end}-v0" for end in ends]


def _near(held: npt.NDArray, place: Place) -> npt.NDArray[np.bool_]:
    far = held - place.target
    distance = np.abs(far[:, 0]) if far.shape[1] == 1 else np.linalg.norm(far, axis=-1)
    return np.asarray(distance <= place.tolerance)


def check_names(label: str, names: Sequence[str], goal: Goal) -> None:
    """Refuse a file that is not OGBench's."""
    wanted = (*REQUIRED, BUTTONS) if len(goal.buttons) else REQUIRED
    missing = [name for name in wanted if name not in names]
    if missing:
        listed = ", ".join(map(quoted, names[:8]))
        raise Unusable(f"{label} misses {', '.join(missing)} of OGBench's; it holds {listed}")


def read(path: Path, held: Columns, goal: Goal) -> Recording:
    """Return the trajectories of a file's arrays with the rewards of a single task."""
    label = path.name
    for name, values in held.items():
        if not values.ndim:
            raise Unusable(f"{label}/{name} have no rows")
    lengths = {len(values) for values in held.values()}
    if len(lengths) > 1:
        raise Unusable(f"{label} has columns of different lengths")
    if held["qpos"].shape[1:] != (goal.width,):
        raise Unusable(
            f"{label}/qpos have shape {held['qpos'].shape}; {goal.environment} has {goal.width} "
            "numbers a row"
        )
    buttons = len(goal.buttons)
    if buttons and held[BUTTONS].shape[1:] != (buttons,):
        raise Unusable(
            f"{label}/{BUTTONS} have shape {held[BUTTONS].shape}; {goal.environment} has "
            f"{buttons} buttons"
        )
    notes = [
        f"rewards of {goal.environment} by ogbench {goal.version}: of the state before the "
        "action, as since its 1.2.0; scores from before are of another task"
    ]
    domain = goal.environment.partition("-singletask")[0]
    if not path.stem.startswith(f"{domain}-"):
        notes.append(f"the file's name does not say that it is of {domain}")
    origin = f"OGBench's {path.stem}, rewards of {goal.environment}"
    stops = np.flatnonzero(flags(f"{label}/terminals", held["terminals"])) + 1
    if not len(stops) or stops[-1] != len(held["terminals"]):
        raise Unusable(f"{label}/terminals do not end the last trajectory: the file is cut short")
    return Recording(origin, _pieces(held, stops, goal), int(stops[-1] - len(stops)), notes)


def _pieces(held: Columns, stops: npt.NDArray[np.int64], goal: Goal) -> Iterator[Columns]:
    for number, (start, stop) in enumerate(zip([0, *stops[:-1]], stops, strict=True)):
        label, steps = f"trajectory {number}", slice(start, stop - 1)
        qpos = held["qpos"][steps]
        numbers(f"{label}/qpos", qpos)
        states = held[BUTTONS][steps] if len(goal.buttons) else None
        if states is not None:
            numbers(f"{label}/{BUTTONS}", states)
        rewards, masks = goal.judge(qpos, states)
        ends = masks == 0
        yield episode(
            label,
            held["observations"][start:stop],
            held["actions"][steps],
            rewards,
            ends,
            np.zeros_like(ends),
        )

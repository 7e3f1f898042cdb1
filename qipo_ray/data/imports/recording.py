"""Rows on their way from another format into D4RL's layout, and how an episode becomes rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qipo_ray.data.ends import OTHER_NAMES, looks_like_ends
from qipo_ray.data.faults import Damaged, Unusable, quoted

Columns = dict[str, npt.NDArray]  # equal numbers of rows, under D4RL's names

REQUIRED = ("observations", "actions", "rewards")
TERMINALS = ("terminals", "terminations", "terminateds", "terminated")  # D4RL's word first
FLAGS = (*TERMINALS, "timeouts", *OTHER_NAMES)
READ = (*REQUIRED, "next_observations", *FLAGS)


@dataclass
class Recording:
    """What a source holds: pieces of rows in time order, and what must be said of it.

    ``origin`` becomes the written file's attribute ``source``. ``steps`` are those that the source
    declares, for the progress alone. ``notes`` may grow until the last piece is read.
    """

    origin: str
    pieces: Iterator[Columns]
    steps: int | None = None
    notes: list[str] = field(default_factory=list)


def numbers(name: str, values: npt.NDArray) -> npt.NDArray[np.float32]:
    """Return values as finite float32; ``name`` says in which file and column they lie."""
    if values.dtype.kind not in "fiub" or values.dtype.itemsize > 8:
        raise Unusable(f"{name} have type {str(values.dtype)[:40]}; expected numbers")
    if not values.ndim:
        raise Unusable(f"{name} have no rows")
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf
        converted = values.astype(np.float32, copy=False)
    finite = np.isfinite(converted)
    if not finite.all():
        row = int(np.argmin(finite.reshape(len(finite), -1).all(axis=1)))
        raise Unusable(f"{name} hold NaN or infinite numbers, as in row {row}")
    return converted


def json_of(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise Damaged(f"{path.name} cannot be read ({error})") from error
    if not isinstance(document, dict):
        raise Damaged(f"{path.name} is no JSON object")
    return document


def table(name: str, values: npt.NDArray) -> npt.NDArray[np.float32]:
    """Return finite float32 rows ``(T, n)``; rows of more dimensions are laid flat."""
    converted = numbers(name, values)
    if 0 in converted.shape[1:]:
        raise Unusable(f"{name} have no numbers in a row")
    return converted.reshape(len(converted), -1) if converted.size else converted


def vector(name: str, values: npt.NDArray) -> npt.NDArray[np.float32]:
    """Return finite float32 ``(T,)`` of values ``(T,)`` or ``(T, 1)``."""
    converted = numbers(name, values)
    if converted.shape[1:] not in ((), (1,)):
        raise Unusable(f"{name} have shape {converted.shape}; expected one number a row")
    return converted.reshape(-1)


def flags(name: str, values: npt.NDArray) -> npt.NDArray[np.bool_]:
    """Return flags ``(T,)``; ``Unusable`` for any value but 0 and 1."""
    converted = vector(name, values)
    if not ((converted == 0) | (converted == 1)).all():
        raise Unusable(f"{name} hold values other than 0 and 1")
    return converted.astype(np.bool_)


def check_names(label: str, names: Sequence[str]) -> None:
    """Refuse columns that miss something, or that may mark ends and are not read."""
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        listed = ", ".join(map(quoted, names[:8])) or "-"
        raise Unusable(f"{label} misses {', '.join(missing)}; it holds {listed}")
    unread = [name for name in names if name not in READ and looks_like_ends(name)]
    if unread and not any(name in FLAGS for name in names):
        raise Unusable(
            f"{label}: {', '.join(map(quoted, unread[:8]))} may mark the ends of episodes; known "
            f"names are {', '.join(FLAGS)}: rename it, or remove it"
        )


def from_columns(label: str, held: Mapping[str, npt.NDArray]) -> Columns:
    """Return the rows of one episode, whose columns have D4RL's names or those of ``ends``."""
    read = {name: held[name] for name in READ if name in held}
    read["rewards"] = vector(f"{label}/rewards", read["rewards"])
    steps = len(read["rewards"])
    terminals, cuts = np.zeros(steps, np.bool_), np.zeros(steps, np.bool_)
    for name, values in read.items():
        if name not in FLAGS:
            continue
        marked = flags(f"{label}/{name}", values)
        _check_length(f"{label}/{name}", len(marked), steps)
        if name in TERMINALS:
            terminals |= marked
        else:
            cuts |= marked
    states, actions, rewards = (read[key] for key in REQUIRED)
    following = read.get("next_observations")
    return episode(label, states, actions, rewards, terminals, cuts, following)


def episode(
    label: str,
    observations: npt.NDArray,
    actions: npt.NDArray,
    rewards: npt.NDArray,
    terminals: npt.NDArray[np.bool_],
    cuts: npt.NDArray[np.bool_],
    following: npt.NDArray | None = None,
) -> Columns:
    """Return the rows of one episode, each with the observation that followed it.

    Of T observations, where T + 1 are needed, the last row has none after it: its own stands
    there, and is never trained on, since that row is a terminal or a timeout. The last row of an
    episode is one of the two.

    Args:
        label: the episode's name in messages.
        observations: ``(T, S)``, or ``(T + 1, S)`` with the state after the last action.
        actions: ``(T, A)``.
        rewards: ``(T,)`` or ``(T, 1)``.
        terminals: ``(T,)``, where nothing follows.
        cuts: ``(T,)``, ends by a time limit; one that is a terminal, too, is none.
        following: ``(T, S)``, where the source has them.
    """
    gained = vector(f"{label}/rewards", rewards)
    steps = len(gained)
    if not steps:
        raise Unusable(f"{label} has no steps")
    states = table(f"{label}/observations", observations)
    acts = table(f"{label}/actions", actions)
    _check_length(f"{label}/actions", len(acts), steps)
    if len(states) not in (steps, steps + 1):
        raise Unusable(
            f"{label}/observations have {len(states):,} rows; expected {steps:,}, or one more"
        )
    if following is not None:
        after = table(f"{label}/next_observations", following)
        _check_length(f"{label}/next_observations", len(after), steps)
    elif len(states) > steps:
        after = states[1:]
    else:
        after = np.concatenate([states[1:], states[-1:]])
    timeouts = cuts & ~terminals
    timeouts[-1] |= not terminals[-1]
    return {
        "observations": states[:steps],
        "actions": acts,
        "rewards": gained,
        "terminals": terminals,
        "timeouts": timeouts,
        "next_observations": after,
    }


def _check_length(name: str, length: int, steps: int) -> None:
    if length != steps:
        raise Unusable(f"{name} have {length:,} rows; expected {steps:,}, as many as rewards")

"""OGBench's single tasks, five of each of its data sets, from one row for each environment.

``cube-single-play-singletask-task2-v0`` is the package's own name; without the number it is an
alias there of the domain's default task, and so it is here. The standard library is enough.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

NUMBERS = range(1, 6)
# Data sets of which this version makes a small stand-in.
MADE = ("antmaze-medium-navigate", "cube-single-play", "pointmaze-medium-navigate")
_ID = re.compile(r"(?P<domain>.+)-singletask(-task(?P<number>[1-5]))?(?P<version>-v0)?")
_NOTES = (
    "rewards and success are those of the state before the action, as in OGBench since 1.2.0; "
    "scores from before are of another task",
    "starts and exits of mazes are drawn by the episode's seed; the package draws them from "
    "NumPy's global generator",
)


_DEFAULT = "the default task of its data set: its name may go without the number"


class SingleTask(NamedTuple):
    """What the name of a single task says: ``domain`` is its data set, without a version."""

    domain: str  # cube-single-play
    number: int  # of the task; the default's where the name has none
    version: str  # "-v0"; empty for generated data

    @property
    def id(self) -> str:
        """The task's one name here, with its number."""
        return f"{self.domain}-singletask-task{self.number}{self.version}"

    @property
    def environment(self) -> str:
        """The name of the environment, without its task: cube-single."""
        return self.domain.rpartition("-")[0]

    @property
    def facts(self) -> dict[str, Any]:
        """The row of the environment."""
        row: dict[str, Any] = table()["environments"][self.environment]
        return row

    @property
    def simulator(self) -> str:
        """The package's environment."""
        return f"{self.environment}-singletask-task{self.number}-v0"


@cache
def table() -> dict[str, Any]:
    """Return the content of ``ogbench.json``."""
    text = Path(__file__).with_name("ogbench.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


@cache
def domains() -> tuple[str, ...]:
    """Return every data set without its version, sorted: ``antmaze-giant-navigate``, ..."""
    rows = table()["environments"].items()
    return tuple(sorted(f"{name}-{data}" for name, row in rows for data in row["data"]))


def single_task(task_id: str) -> SingleTask | None:
    """Return what a name of a single task says; None for any other name."""
    parts = _ID.fullmatch(task_id)
    if parts is None or parts["domain"] not in domains():
        return None
    if not parts["version"] and parts["domain"] not in MADE:
        return None
    plain = SingleTask(parts["domain"], 0, parts["version"] or "")
    return plain._replace(number=int(parts["number"] or plain.facts["default"]))


def published() -> Iterator[SingleTask]:
    """Yield the tasks of the package that have published data."""
    for domain in domains():
        yield from (SingleTask(domain, number, "-v0") for number in NUMBERS)


def made() -> Iterator[SingleTask]:
    """Yield the tasks whose data this project makes."""
    for domain in MADE:
        yield from (SingleTask(domain, number, "") for number in NUMBERS)


def document(task: SingleTask) -> dict[str, Any]:
    """Return a task with the keys of a task file."""
    facts = task.facts
    parts = len(facts["columns"]) + len(facts["buttons"][0])
    return {
        "task": task.id,
        "environment": task.simulator,
        "horizon": facts["horizon"],
        "references": [-parts * facts["horizon"], 0],
        "notes": [*_NOTES, *([_DEFAULT] if task.number == facts["default"] else [])],
    }


def files(domain: str) -> tuple[str, str]:
    """Return the names of a published data set's files, for training and for validation."""
    return f"{domain}-v0.npz", f"{domain}-v0-val.npz"

"""The page ``docs/tasks.md``: every task with its simulator, notes and reference scores."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from qipo_ray.data.tasks import NEWER, Task, get_task, task_ids

_HEAD = """# Tasks

Written by `qipo-ray data list --markdown` from the table in `qipo_ray/data/`; a test compares
them.

A score of D4RL is `100 (R - lowest) / (highest - lowest)` of an episode's return `R`. The
horizon is in steps. *Numbers* are those of an observation and of an action. *Rewards* is how the
paper's settings adjust them before training: `return-range` scales them by 1000 / (highest -
lowest return of the file), `minus-one` subtracts 1, `raw` leaves them. *SHA-256* says whether a
published checksum of the file is known. Of several versions the highest is the current one.

Training reads the rows of D4RL's `qlearning_dataset`, in its order: rows with a timeout and the
file's last row are left out, whether or not a next state is known. Where a file has
`next_observations` they are used; D4RL takes the next row's observation. After a terminal the next
state does not matter. D4RL's rewards of maze2d stand one row late, and are read as they are.

A name without version is the *generated* form of its newest version: same simulator, horizon and
reference scores, data made here. No score on it is comparable with a published one. What
`qipo-ray data make` can make: {generators}.

OGBench's scores are success rates in per cent; *lowest* and *highest* are an episode that never
reaches anything, and one that begins at its goal. The five tasks of a data set share its file, and
tables report them together. A name without the number of the task is the package's alias of the
default one. Cube-octuple is left out, whose data are published in pieces of 100 million rows alone
(a [task file](data.md#other-formats) takes it), and humanoidmaze-teleport, which ogbench 1.2.1
does not make.

A task of your own is a file with the same facts: [Extend](extend.md).
"""

_TITLES = ("task", "generated", "simulator", "numbers", "horizon", "lowest", "highest", "rewards",
           "SHA-256", "notes")  # fmt: skip


def tasks_page() -> str:
    """Return the page as Markdown."""
    tasks = [get_task(name) for name in task_ids()]
    twins: dict[str | None, str] = {task.twin_of: task.id for task in tasks if task.twin_of}
    generators = ", ".join(f"`{task.id}`" for task in tasks if task.has_generator)
    parts = [_HEAD.format(generators=generators)]
    published = [task for task in tasks if task.twin_of is None]
    for family in dict.fromkeys(task.family for task in published):
        members = [task for task in published if task.family == family]
        parts.append("\n".join(_section(family, members, twins)) + "\n")
    return "\n".join(parts)


def _section(family: str, tasks: Sequence[Task], twins: dict[str | None, str]) -> Iterator[str]:
    notes = list(dict.fromkeys(note for task in tasks for note in _notes(task)))
    yield f"## {family}"
    yield ""
    yield "| " + " | ".join(_TITLES) + " |"
    yield "|---" * len(_TITLES) + "|"
    for task in sorted(tasks, key=lambda task: _natural(task.id)):
        state, action = task.sizes or ("?", "?")
        cells = (
            task.id,
            twins.get(task.id, ""),
            task.simulator,
            f"{state} / {action}",
            str(task.horizon),
            f"{task.ref_min:.9g}",
            f"{task.ref_max:.9g}",
            task.reward_rule,
            "yes" if task.sha256 else "",
            " ".join(f"[{notes.index(note) + 1}]" for note in _notes(task)),
        )
        yield "| " + " | ".join(cells) + " |"
    yield ""
    for number, note in enumerate(notes, 1):
        yield f"{number}. {note}"


def _notes(task: Task) -> list[str]:
    """Return the notes of a task but for that on its version, which the page shows."""
    return [note for note in task.notes if not note.startswith(NEWER)]


def _natural(task_id: str) -> tuple[str, int]:
    """Return what sorts versions by their number, after their name."""
    name, version = re.fullmatch(r"(.*?)(?:-v(\d+))?", task_id).groups()  # type: ignore[union-attr]
    return name, int(version or 0)

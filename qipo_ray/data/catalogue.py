"""What can be downloaded: for each D4RL task one file, from hosts on a list, into D4RL's cache."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

from qipo_ray.data.locate import d4rl_cache
from qipo_ray.data.tasks import Task, get_task, task_ids
from qipo_ray.errors import UserError

# Where files may come from, redirects included. D4RL's own host serves them without TLS, which is
# as good for a file whose SHA-256 is known; any other host would need https.
ORIGINS = ("http://rail.eecs.berkeley.edu", "https://rail.eecs.berkeley.edu")

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class Entry:
    """One published file: where it is, where it belongs, and what it must be, as far as known."""

    task_id: str
    url: str
    target: Path
    bytes: int | None
    sha256: str | None


def entry(task: Task) -> Entry:
    """Return the file of a D4RL task; ``UserError`` for a task whose data this project makes."""
    if task.url is None or task.filename is None:
        twin = f"; D4RL's own task is {task.twin_of}" if task.twin_of else ""
        raise UserError(f"task {task.id} has generated data, nothing to download{twin}")
    if not _NAME.fullmatch(task.filename) or task.filename in (".", ".."):
        raise UserError(f"task {task.id}: unsafe file name {task.filename!r} in the catalogue")
    return Entry(task.id, task.url, d4rl_cache() / task.filename, task.bytes, task.sha256)


def entries(names: Sequence[str]) -> list[Entry]:
    """Return the files of tasks, each once; a name may be a pattern such as ``hopper-*-v2``.

    A pattern stands for D4RL's tasks alone.
    """
    entries_by_id: dict[str, Entry] = {}
    for name in names:
        for task in _matching(name):
            entries_by_id.setdefault(task.id, entry(task))
    return list(entries_by_id.values())


def allowed(url: str, origins: Sequence[str] = ORIGINS) -> bool:
    """Say whether a file may come from a URL: its scheme, host and port are on the list."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.username is not None or parts.password is not None:
        return False
    return f"{parts.scheme}://{parts.netloc}".lower() in origins


def _matching(name: str) -> list[Task]:
    if not set(name) & set("*?["):
        return [get_task(name)]
    tasks = [get_task(task_id) for task_id in task_ids() if fnmatchcase(task_id, name)]
    published = [task for task in tasks if task.url is not None]
    if not published:
        raise UserError(f"no task of D4RL fits the pattern {name!r}; see `qipo-ray data list`")
    return published

"""What can be downloaded: D4RL's and OGBench's files, from hosts on a list, into their caches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlsplit

from qipo_ray.data import ogbench_table
from qipo_ray.data.locate import published_path
from qipo_ray.data.tasks import Task, get_task, task_ids
from qipo_ray.errors import UserError

# Where files may come from, redirects included. D4RL's own host, OGBench's too, serves its files
# without TLS, which is as good for a file whose SHA-256 is known; any other would need https.
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
    """Return a task's published file; ``UserError`` for a task whose data this project makes."""
    if task.url is None or task.filename is None:
        twin = f"; the published task is {task.twin_of}" if task.twin_of else ""
        raise UserError(f"task {task.id} has generated data, nothing to download{twin}")
    if not _NAME.fullmatch(task.filename) or task.filename in (".", ".."):
        raise UserError(f"task {task.id}: unsafe file name {task.filename!r} in the catalogue")
    target = published_path(task, task.filename)
    return Entry(_asked_as(task), task.url, target, task.bytes, task.sha256)


def _asked_as(task: Task) -> str:
    """Return the name under which a task's files are asked for: of OGBench the data set's."""
    return f"{task.group}-v0" if task.family == "ogbench" else task.id


def _files(task: Task) -> list[Entry]:
    """Return all files of a task: OGBench has another one for validation."""
    first = entry(task)
    if task.family != "ogbench":
        return [first]
    name = ogbench_table.files(task.group)[1]
    url = first.url.rpartition("/")[0] + f"/{name}"
    return [first, replace(first, url=url, target=first.target.with_name(name))]


def entries(names: Sequence[str]) -> list[Entry]:
    """Return the files of tasks, each once; a name may be a pattern such as ``hopper-*-v2``.

    A pattern stands for published data alone. OGBench's data sets have names of their own, too,
    such as ``cube-single-play-v0``.
    """
    entries_by_target: dict[Path, Entry] = {}
    for name in names:
        for task in _matching(name):
            for file in _files(task):
                entries_by_target.setdefault(file.target, file)
    return list(entries_by_target.values())


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
        is_set = name.removesuffix("-v0") in ogbench_table.domains()
        return [get_task(f"{name.removesuffix('-v0')}-singletask-v0" if is_set else name)]
    tasks = [get_task(task_id) for task_id in task_ids() if fnmatchcase(task_id, name)]
    published = [task for task in tasks if task.url is not None]
    if not published:
        raise UserError(
            f"no task of D4RL or OGBench fits the pattern {name!r}; see `qipo-ray data list`"
        )
    return published

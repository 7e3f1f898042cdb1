"""Task files: a user's own task from YAML; every fault is one line with file, line and key.

A task is named by its file, or by an entry point of an installed package. A results folder keeps a
copy of the document of each own task, from which nothing is ever imported.
"""

from __future__ import annotations

import json
import math
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from qipo_ray.config import Document, read_yaml
from qipo_ray.config.json_types import PlainMapping
from qipo_ray.config.validation import read_document
from qipo_ray.data.tasks import (
    BUCKETS,
    MINARI,
    NO_ENVIRONMENT,
    RAW_RETURNS,
    OwnTask,
    Task,
    from_document,
    get_task,
    is_own,
    own_id,
    task_ids,
)
from qipo_ray.errors import UserError, nearest

GROUP = "qipo_ray.tasks"  # entry points: a task's name = "package:file.yaml"
SUFFIXES = (".yaml", ".yml")
FOLDER = "tasks"  # of a results folder
NONE = "none"  # the environment of a task whose policies are not rolled out


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _references(value: object) -> object:
    if value == "raw":
        return value
    if isinstance(value, list) and len(value) == 2 and all(map(_finite, value)):
        if value[0] < value[1]:
            return [float(number) for number in value]
        raise ValueError(f"must rise; got [{value[0]:g}, {value[1]:g}]")
    raise ValueError("must be raw, or two finite returns [low, high]")


def _bounds(value: object) -> object:
    """Return [low, high], each a list: of one number for all actions, or of one for each."""
    ends = value if isinstance(value, list) and len(value) == 2 else []
    lists = [end if isinstance(end, list) else [end] for end in ends]
    wanted = "must be [low, high] of finite numbers, or of two lists with a number per action"
    if not lists or not lists[0] or len(lists[0]) != len(lists[1]):
        raise ValueError(wanted)
    for number in (*lists[0], *lists[1]):
        if not _finite(number):
            raise ValueError(f"{wanted}, and {number} is none")
    low, high = ([float(number) for number in end] for end in lists)
    if any(a >= b for a, b in zip(low, high, strict=True)):
        raise ValueError("must rise; a low end is not below its high end")
    return [low, high]


def _environment(value: str) -> str:
    module, colon, name = value.partition(":")
    if colon and not (all(part.isidentifier() for part in module.split(".")) and name):
        raise ValueError("must be a Gymnasium id, module:factory, or none")
    return value


_Word = Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,200}$")]


class TaskFile(BaseModel):
    """The keys of a task file with their types."""

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, validate_default=True
    )

    task: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    environment: Annotated[_Word, AfterValidator(_environment)]
    horizon: Annotated[int, Field(ge=1, le=1_000_000)]
    references: Annotated[Any, AfterValidator(_references)]
    data: _Word | None = None
    arguments: PlainMapping = {}
    actions: Annotated[Any, AfterValidator(_bounds)] = [-1, 1]
    observations: list[_Word] = []
    rewards: Literal["raw", "return-range", "minus-one"] = "raw"
    discount: Annotated[float, Field(ge=0, lt=1)] | None = None
    success: _Word | None = None
    notes: list[_Word] = []


def find_task(name: str, folder: Path = Path()) -> Task:
    """Return the task of an id, of a file (from ``folder``), or of an installed package.

    ``UserError`` for what is none of them, and for a file with a fault.
    """
    return own_task(name, folder) or get_task(name)


def task_id_of(name: str) -> str:
    """Return the id of a task that is named in any way; what names none stays as it is."""
    if own := own_task(name):
        return own.id
    return get_task(name).id if name in task_ids() else name


def own_task(name: str, folder: Path = Path()) -> Task | None:
    """Return the own task that a file's name, or that of an installed package, stands for."""
    if name in task_ids() or is_own(name):
        return None
    if Path(name).suffix in SUFFIXES:
        path = folder / Path(name).expanduser()
        if not path.is_file():
            names = [file.name for file in path.parent.glob(f"*{path.suffix}")]
            raise UserError(f"no task file {str(path)!r}{nearest(path.name, names)}")
        return read_task(path)
    for point in entry_points(group=GROUP, name=name):
        return read_task(_packaged(name, point.value))
    return None


def packaged_tasks() -> dict[str, Task | UserError]:
    """Return the tasks of installed packages by name, or what is wrong with one."""
    tasks: dict[str, Task | UserError] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            tasks[point.name] = read_task(_packaged(point.name, point.value))
        except UserError as problem:
            tasks[point.name] = problem
    return tasks


def _packaged(name: str, value: str) -> Path:
    """Return the file that an entry point names; a package without a dot is not imported."""
    package, _, file = value.partition(":")
    try:
        spec = find_spec(package)
    except ImportError:
        spec = None
    for folder in (spec and spec.submodule_search_locations) or ():
        if (path := Path(folder) / file).is_file():
            return path
    raise UserError(f"task {name!r} is said to be {value!r} ({GROUP}): there is no such file")


def read_task(path: Path) -> Task:
    """Return the task of a file that the user named; ``UserError`` with file, line and key."""
    return _task(read_yaml(path), str(path.absolute()))


def kept_path(root: Path, task_id: str) -> Path:
    """Return where a results folder keeps the document of an own task."""
    return root / FOLDER / f"{task_id}.json"


def kept_task(root: Path, task_id: str) -> Task:
    """Return a task of a record in a results folder; of an own one nothing is imported.

    ``UserError`` if its document is missing, or is another one than the id names.
    """
    if not is_own(task_id):
        return get_task(task_id)
    path = kept_path(root, task_id)
    task = _task(read_yaml(path), None)
    if task.id != task_id:
        raise UserError(f"{path}: its content is that of {task.id}, not of {task_id}")
    return task


def given_task(root: Path, task_id: str, given: Task | None, option: str = "--task") -> Task:
    """Return a record's task to roll out: the user's own file where the task is no built-in one.

    ``UserError`` if it was not given, or is another task.
    """
    if not is_own(task_id):
        return get_task(task_id)
    if given is None or given.own is None:
        raise UserError(
            f"task {task_id} of {root} is a user's own, and no environment is made from a results "
            f"folder: give its file, {option} FILE.yaml"
        )
    if given.id != task_id:
        raise UserError(
            f"{option} {given.own.file} is task {given.id}, the record's is {task_id}: "
            "another content"
        )
    return given


def _task(document: Document, file: str | None) -> Task:
    """Return the task of a document; ``file`` is None for that of a results folder."""
    checked = read_document(TaskFile, document, "a task file")
    _check_unique(checked.observations, document)
    content = _content(checked)
    exists = checked.environment != NONE
    notes = (
        *checked.notes,
        *([RAW_RETURNS] if checked.references == "raw" else []),
        *([] if exists else [NO_ENVIRONMENT]),
    )
    low, high = checked.actions
    own = OwnTask(
        document=json.dumps(content, indent=1),
        environment=checked.environment if exists else None,
        arguments=json.dumps(checked.arguments),
        low=tuple(low),
        high=tuple(high),
        observations=tuple(checked.observations),
        success=checked.success,
        discount=checked.discount,
        raw=checked.references == "raw",
        data=_data(checked.data, file),
        file=file,
    )
    return from_document({**content, "notes": notes}, own_id(content), "own", own=own)


def _content(checked: TaskFile) -> dict[str, Any]:
    """Return what is not the default: so a key that comes later changes no hash."""
    content = {
        key: value
        for key, value in checked.model_dump(exclude={"data"}).items()
        if value != TaskFile.model_fields[key].default
    }
    if content.get("actions") == [[-1.0], [1.0]]:
        del content["actions"]
    return content


def _data(name: str | None, file: str | None) -> str | None:
    """Return where the data lie, from the folder of the task's file."""
    if name is None or file is None or name.startswith((MINARI, *BUCKETS)):
        return name
    return str(Path(file).parent / Path(name).expanduser())


def _check_unique(keys: list[str], document: Document) -> None:
    for number, key in enumerate(keys):
        if key in keys[:number]:
            location = document.location("observations", str(number))
            raise UserError(f"{location}: observations: {key!r} is given twice")

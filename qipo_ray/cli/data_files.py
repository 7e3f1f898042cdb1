"""What FILE or TASK on the command line stands for: a data file and its task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qipo_ray.errors import UserError

if TYPE_CHECKING:
    from qipo_ray.data.tasks import Task
    from qipo_ray.data.transitions import Dataset


def open_data(what: str, task: str | None) -> tuple[Dataset, Task]:
    """Return the data of a file or of a task, and the task.

    Raises:
        UserError: no such file or task, a file whose task cannot be told, or an unusable file.
    """
    from qipo_ray.data.load import load
    from qipo_ray.data.tasks import get_task

    path = Path(what).expanduser()
    is_file = path.exists() or path.suffix in (".hdf5", ".h5") or "/" in what
    if not is_file and task is not None:
        raise UserError(f"--task says which task a file belongs to, and {what!r} is no file")
    name = (task or _task_of(path)) if is_file else what
    return load(name, path if is_file else None), get_task(name)


def _task_of(path: Path) -> str:
    """Return the task that a file's name stands for: D4RL's own name, or one that begins with it.

    Raises:
        UserError: if the name says nothing; the line names the option that does.
    """
    from qipo_ray.data.tasks import get_task, task_ids

    published = [name for name in task_ids() if get_task(name).filename == path.name]
    begun = [name for name in task_ids() if path.name.startswith(f"{name}-")]
    whole = [name for name in task_ids() if path.stem == name]
    for names in (whole, published, sorted(begun, key=len)):
        if names:
            return names[-1]
    raise UserError(
        f"{path}: its name does not tell the task; add --task, see `qipo-ray data list`"
    )

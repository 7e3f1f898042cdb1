"""What FILE or TASK on the command line stands for: a data file and its task."""

from __future__ import annotations

from pathlib import Path

from qipo_ray.data.load import load
from qipo_ray.data.ogbench_table import single_task
from qipo_ray.data.tasks import MINARI, Task, get_task, task_ids
from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import UserError
from qipo_ray.study.task_file import find_task, own_task


def open_data(source: str, task: str | None) -> tuple[Dataset, Task]:
    """Return the data of a file or of a task, and the task.

    Raises:
        UserError: no such file or task, a file whose task cannot be told, or an unusable file.
    """
    if own := own_task(source):
        if task is not None:
            raise UserError(f"--task says which task a data file belongs to; {source!r} is a task")
        return load(own), own
    path = Path(source).expanduser()
    minari = source.startswith(MINARI)
    is_file = minari or path.exists() or path.suffix in (".hdf5", ".h5") or "/" in source
    if not is_file and task is not None:
        raise UserError(f"--task says which task a file belongs to, and {source!r} is no file")
    known = find_task((task or _task_of(path)) if is_file else source)
    return load(known, source if is_file else None), known


def _task_of(path: Path) -> str:
    """Return the task that a file's name stands for: D4RL's own name, or one that begins with it.

    Raises:
        UserError: if the name says nothing; the line names the option that does.
    """
    published = [name for name in task_ids() if get_task(name).filename == path.name]
    begun = [name for name in task_ids() if path.name.startswith(f"{name}-")]
    exact = [name for name in task_ids() if path.stem == name]
    domain = path.stem.removesuffix("-val").removesuffix("-v0")
    if single := single_task(f"{domain}-singletask-v0"):  # of OGBench's data the default task
        return single.id
    for names in (exact, published, sorted(begun, key=len)):
        if names:
            return names[-1]
    raise UserError(
        f"{path}: its name does not say the task; add --task, see `qipo-ray data list`"
    )

"""What SOURCE of ``qipo-ray data import`` is, and its rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qipo_ray.data import minari_folder
from qipo_ray.data.faults import Unusable, described, import_first
from qipo_ray.data.imports import arrow_columns, episodes, lerobot, minari
from qipo_ray.data.imports.ogbench import Goal
from qipo_ray.data.imports.recording import Recording
from qipo_ray.data.tasks import MINARI
from qipo_ray.errors import UserError

FORMATS = (
    "a Minari data set (minari:ID, or its folder), a LeRobot data set's folder, a folder of "
    "episodes (.npz or .parquet), or one such file"
)


def recording_of(source: str, parts: Sequence[str], goal: Goal | None) -> Recording:
    """Return what a source holds, by its id, its folder or its first bytes.

    ``parts`` choose from a Minari set's dictionary of observations, ``goal`` gives a file of
    OGBench's its rewards; no other source takes either.

    Raises:
        UserError: there is nothing, or it is none of ``FORMATS``.
        Unusable: it cannot be used.
    """
    if source.startswith(MINARI):
        path = minari_folder.path_of(source.removeprefix(MINARI))
    else:
        path = Path(source).expanduser()
    if path.name == "main_data.hdf5":  # Minari's own name for it
        path = path.absolute().parent.parent
    if goal is not None and path.suffix != ".npz":
        raise UserError(f"--rewards is for OGBench's .npz files; {source} is not one")
    if minari_folder.is_set(path):
        return minari.read(path / "data", parts)
    if parts:
        raise UserError(f"--parts chooses from a Minari set's observations; {source} is not one")
    if (path / "meta" / "info.json").is_file():
        return lerobot.read(path)
    if path.is_dir():
        return episodes.read_folder(path)
    return _file(path, goal)


def _file(path: Path, goal: Goal | None) -> Recording:
    if not path.is_file():
        state = "is not a plain file" if path.exists() else "does not exist"
        raise UserError(f"{path} {state}; SOURCE is {FORMATS}")
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(b"\x89HDF"):
        raise UserError(f"{path} is HDF5, which is read as it is: --data {path}")
    words = described(head, path)
    if import_first(path) not in words:
        raise Unusable(words)
    if goal is not None:
        return episodes.read_ogbench(path, goal)
    parquet = head.startswith(arrow_columns.PARQUET)
    return episodes.read_file(path, ".parquet" if parquet else ".npz")

"""Minari's own folder, and the data sets that lie in it; Minari is not needed."""

from __future__ import annotations

import os
import re
from pathlib import Path

from qipo_ray.errors import UserError, nearest

_FILE = Path("data") / "main_data.hdf5"
_METADATA = Path("data") / "metadata.json"
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def folder() -> Path:
    """Return Minari's own folder, ``$MINARI_DATASETS_PATH`` or ``~/.minari/datasets``."""
    named = os.environ.get("MINARI_DATASETS_PATH")
    return Path(named or "~/.minari/datasets").expanduser()


def sets() -> tuple[str, ...]:
    """Return the ids of the data sets in Minari's folder, such as ``mujoco/hopper/medium-v0``."""
    files = [*folder().glob(f"**/{_FILE}"), *folder().glob(f"**/{_METADATA}")]
    return tuple(sorted({str(path.parents[1].relative_to(folder())) for path in files}))


def path_of(name: str) -> Path:
    """Return the folder of a data set's id in Minari's folder; ``UserError`` if there is none."""
    if not all(_PART.fullmatch(part) for part in name.split("/")):
        raise UserError(f"{name!r} is no id of a Minari data set, such as mujoco/hopper/medium-v0")
    path = folder() / name
    if not (path / _FILE).is_file() and not is_set(path):
        hint = nearest(name, sets())
        raise UserError(f"no Minari data set {name!r}{hint}: {path / _METADATA} does not exist")
    return path


def is_set(path: Path) -> bool:
    """Return whether ``path`` is the folder of a data set of Minari's, in whatever format."""
    return (path / _METADATA).is_file()


def in_folder(path: Path) -> Path:
    """Return the data file where ``path`` is the folder of a set in HDF5; else ``path``."""
    return path / _FILE if (path / _FILE).is_file() else path


def name_of(path: Path) -> str | None:
    """Return the id of the data set whose file this is; None for any other file."""
    file, root = path.resolve(), folder().resolve()
    if not file.is_relative_to(root) or not file.match(str(_FILE)):
        return None
    return str(file.parents[1].relative_to(root))

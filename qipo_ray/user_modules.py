"""Modules of users: imported by name, and never another one that has the same name."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType

from qipo_ray.errors import UserError


def import_from(name: str, folders: Iterable[Path | str], where: str) -> ModuleType:
    """Return a module that is sought beside what is installed, and then in ``folders``.

    ``UserError``, which begins with ``where``, if another of its name came before the one there.
    """
    sought = [str(folder) for folder in folders]
    sys.path += [folder for folder in sought if folder not in sys.path]  # none of ours is hidden
    module = import_module(name)
    loaded = getattr(module, "__file__", None)
    paths = [Path(folder).joinpath(*name.split(".")) for folder in sought]
    files = (end for path in paths for end in (path.with_suffix(".py"), path / "__init__.py"))
    file = next((path for path in files if path.is_file()), None)
    if file is not None and loaded is not None and not file.samefile(loaded):
        raise UserError(
            f"{where}: {name} is {file} there, and {loaded} was imported before under that name; "
            "give one of the modules another name"
        )
    return module

"""The specification in the sweep's folder: the same again continues, another is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from qipo_ray.data.transitions import Dataset
from qipo_ray.errors import UserError
from qipo_ray.store.files import write_bytes
from qipo_ray.study.saved_spec import EARLIER, FILE
from qipo_ray.study.search_spec import SearchSpec, differences


def settle_specification(
    spec: SearchSpec, root: Path, datasets: Mapping[str, Dataset], *, extend: bool
) -> None:
    """Write ``<root>/sweep.yaml``, or check that it says the same as ``spec``.

    With ``extend`` another specification takes its place; trials and records stay, and it is kept
    in ``specifications/``. Where it trains (``resources``) may always differ. ``UserError`` lists
    the differences.
    """
    path = root / FILE
    data = {task: dataset.sha256 for task, dataset in datasets.items()}
    document = {"hash": spec.hash, **spec.document(), "data": data}
    if path.exists():
        old = yaml.safe_load(path.read_text())
        _check_data(path, old["data"], data)
        if old["hash"] != spec.hash and not extend:
            changes = "; ".join(differences(_plain(old), _plain(document)))
            raise UserError(
                f"{path} is another specification: {changes}; add --extend to go on with the new "
                "one, or choose another name"
            )
        if old["hash"] != spec.hash:  # what it planned stays known
            write_bytes(root / EARLIER / f"{old['hash']}.yaml", path.read_bytes())
    write_bytes(path, yaml.safe_dump(document, sort_keys=False, allow_unicode=True).encode())


def _check_data(path: Path, old: Mapping[str, str], new: Mapping[str, str]) -> None:
    """Refuse other data under a task's name: its trials could not be compared."""
    for task, sha256 in new.items():
        if old.get(task, sha256) != sha256:
            raise UserError(
                f"{path}: the data of {task} have SHA-256 {sha256[:12]}..., the sweep was made "
                f"with {old[task][:12]}...; choose another name"
            )


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in ("hash", "data")}

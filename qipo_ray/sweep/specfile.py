"""The specification in the sweep's folder: the same again continues, another is refused."""

from __future__ import annotations

from pathlib import Path

import yaml

from qipo_ray.errors import UserError
from qipo_ray.store.files import write_bytes
from qipo_ray.sweep.spec import Spec, differences

FILE = "sweep.yaml"


def settle_specification(spec: Spec, root: Path, *, extend: bool) -> None:
    """Write ``<root>/sweep.yaml``, or check that it says the same as ``spec``.

    With ``extend`` another specification takes its place; trials and records stay. Where it
    trains (``resources``) may always differ. ``UserError`` lists the differences.
    """
    path = root / FILE
    document = {"hash": spec.hash, **spec.document()}
    if path.exists():
        old = yaml.safe_load(path.read_text())
        if old.pop("hash") != spec.hash and not extend:
            changes = "; ".join(differences(old, spec.document()))
            raise UserError(
                f"{path} is another specification: {changes}; add --extend to go on with the new "
                "one, or choose another name"
            )
    write_bytes(path, yaml.safe_dump(document, sort_keys=False, allow_unicode=True).encode())

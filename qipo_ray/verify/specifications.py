"""The specifications of a sweep's folder, with a finding for each that cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

from qipo_ray.study.saved_spec import EARLIER, FILE, SavedSpec, UnknownSettings, read_spec
from qipo_ray.verify.audit import Audit, reason


def specifications(audit: Audit) -> tuple[SavedSpec | None, list[SavedSpec]]:
    """Return the specification in force, None if it cannot be read, and those before it."""
    path = audit.root / FILE
    in_force = _read(audit, path) if os.path.lexists(path) else None
    if not os.path.lexists(path) and (audit.intents or audit.entries):
        audit.fault(path, "missing, though there are trials; the runs cannot be counted")
    folder = audit.root / EARLIER
    files = [name for name in audit.names(folder) if name.endswith(".yaml") and name[0] != "."]
    earlier = (_read(audit, folder / name) for name in files)
    return in_force, [saved for saved in earlier if saved is not None]


def _read(audit: Audit, path: Path) -> SavedSpec | None:
    try:
        return read_spec(path)
    except UnknownSettings as problem:
        audit.remark(path, f"its runs cannot be counted: {problem}")
    except (ValueError, OSError) as problem:
        audit.fault(path, f"damaged, so its runs cannot be counted: {reason(problem)}")
    return None

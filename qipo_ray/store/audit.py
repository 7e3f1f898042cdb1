"""A look at every file of a results folder that changes nothing: what is damaged or missing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qipo_ray.store import intents
from qipo_ray.store.artefacts import MANIFEST
from qipo_ray.store.files import sha256_file, unsealed
from qipo_ray.store.manifest import OtherSchema, decode
from qipo_ray.store.records import read_record
from qipo_ray.store.rung_log import RungLog

JOB = re.compile(r"(?P<stage>[a-z]{1,32})-(?P<key>[0-9a-f]{16})")


@dataclass(frozen=True)
class Finding:
    """Something about a file: its path below the results folder, and what it is."""

    place: str
    what: str


@dataclass
class Audit:
    """What was found: ``faults`` are wrong, ``remarks`` were mended before or cannot be judged."""

    root: Path
    records: list[dict[str, Any]] = field(default_factory=list)  # valid ones, by id
    intents: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)  # of the rung log
    snapshots: dict[tuple[str, str], list[int]] = field(default_factory=dict)  # by stage and key
    files: int = 0  # hashed, of artefacts
    bytes: int = 0
    faults: list[Finding] = field(default_factory=list)
    remarks: list[Finding] = field(default_factory=list)

    def fault(self, path: Path, what: str) -> None:
        """Note something that is wrong."""
        self.faults.append(Finding(str(path.relative_to(self.root)), what))

    def remark(self, path: Path, what: str) -> None:
        """Note something worth knowing."""
        self.remarks.append(Finding(str(path.relative_to(self.root)), what))


def audit(root: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Audit:
    """Return what the files under ``root`` hold and which are damaged; ``progress(done, total)``.

    It may run beside a sweep: what is replaced or pruned meanwhile is no fault.
    """
    found = Audit(root)
    found.records = list(_documents(found, "records", read_record))
    found.intents = list(_documents(found, intents.FOLDER, intents.look))
    log = RungLog(root / "rungs.jsonl")
    for line, what in log.faults():
        found.fault(log.path, f"line {line}: {what}")
    found.entries = log.read()
    folders = sorted(path for path in (root / "artefacts").glob("*") if path.is_dir())
    for number, folder in enumerate(folders):
        progress(number, len(folders))
        match = JOB.fullmatch(folder.name)
        if match is None:
            found.remark(folder, "no job's folder")
        else:
            _job(found, folder, match["stage"], match["key"])
    return found


def _documents(
    found: Audit, name: str, read: Callable[[Path], dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield the valid documents in a folder."""
    for path in sorted((found.root / name).glob("*")):
        if path.suffix == ".corrupt":
            found.remark(path, "set aside as damaged")
        elif path.suffix == ".json" and not path.name.startswith("."):
            try:
                yield read(path)
            except (ValueError, OSError) as problem:
                found.fault(path, str(problem))


def _job(found: Audit, folder: Path, stage: str, key: str) -> None:
    """Hash the snapshots of a job, and check its notes."""
    lengths = found.snapshots.setdefault((stage, key), [])
    for path in sorted(folder.iterdir()):
        if path.suffix == ".corrupt":
            found.remark(path, "set aside as damaged")
        elif match := MANIFEST.fullmatch(path.name):
            updates = int(match["updates"])
            what = _snapshot(found, path, stage, key, updates)
            if what is None:
                lengths.append(updates)
            elif path.exists():  # else it was pruned meanwhile
                found.fault(path, what)
        elif path.name.startswith("note-"):
            try:
                unsealed(path.read_bytes())
            except (ValueError, OSError) as problem:
                found.fault(path, str(problem))


def _snapshot(found: Audit, path: Path, stage: str, key: str, updates: int) -> str | None:
    """Return what is wrong with a snapshot, or None."""
    try:
        artefact = decode(path.read_bytes(), stage, key, updates)
    except OtherSchema as problem:
        found.remark(path, str(problem))
        return None
    except (ValueError, OSError) as problem:
        return str(problem)
    data = path.parent / artefact.file
    try:
        size, digest = data.stat().st_size, sha256_file(data)
    except OSError as problem:
        return f"its data file {artefact.file}: {problem.strerror}"
    found.files, found.bytes = found.files + 1, found.bytes + size
    if size != artefact.bytes:
        return f"{artefact.file} has {size:,} bytes, its manifest says {artefact.bytes:,}"
    if digest != artefact.sha256:
        return f"{artefact.file} has SHA-256 {digest[:12]}..., not {artefact.sha256[:12]}..."
    return None

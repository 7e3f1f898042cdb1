"""A look at every file of a results folder that changes nothing: what is damaged or missing."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qipo_ray.store import intents, lease, retention
from qipo_ray.store.artefacts import MANIFEST
from qipo_ray.store.files import sha256_file, unsealed
from qipo_ray.store.lease import Holder
from qipo_ray.store.manifest import CheckpointInfo, OtherSchema, decode
from qipo_ray.store.records import read_record, record_files
from qipo_ray.store.rung_log import RungLog

JOB = re.compile(r"(?P<stage>[a-z]{1,32})-(?P<key>[0-9a-f]{16})")
NOTE = re.compile(r"note-(?P<name>.+)\.json")
Address = tuple[str, str]  # of a job: stage and key


@dataclass(frozen=True)
class Finding:
    """Something about a file: its path below the results folder, and what it is."""

    place: str
    what: str


@dataclass
class Audit:
    """What was found: ``faults`` are wrong, ``remarks`` were mended before or cannot be judged."""

    root: Path
    driver: Holder | None = None  # that was at work meanwhile
    records: list[dict[str, Any]] = field(default_factory=list)  # valid ones, by id
    intents: list[dict[str, Any]] = field(default_factory=list)  # by task and position
    entries: list[dict[str, Any]] = field(default_factory=list)  # of the rung log
    snapshots: dict[Address, set[int]] = field(default_factory=dict)  # sound ones
    unread: dict[Address, set[int]] = field(default_factory=dict)  # of another version
    notes: dict[Address, dict[str, Any]] = field(default_factory=dict)  # by name
    files: int = 0  # hashed, of artefacts
    bytes: int = 0
    faults: list[Finding] = field(default_factory=list)
    remarks: list[Finding] = field(default_factory=list)

    def fault(self, path: Path, what: str) -> None:
        """Note something that is wrong."""
        self.faults.append(Finding(self._place(path), what))

    def remark(self, path: Path, what: str) -> None:
        """Note something worth knowing."""
        self.remarks.append(Finding(self._place(path), what))

    def record_path(self, identity: str) -> Path:
        """Return where a record lies."""
        return self.root / "records" / f"{identity}.json"

    def _place(self, path: Path) -> str:
        """Return the path below the root, without signs that a terminal or an encoder minds."""
        text = os.fsencode(path.relative_to(self.root)).decode("utf-8", "backslashreplace")
        return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def audit(root: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Audit:
    """Return what the files under ``root`` hold and which are damaged; ``progress(done, total)``.

    It may run beside a sweep: each kind of file is read before those that are written earlier, and
    what is replaced or pruned meanwhile is no fault.
    """
    found = Audit(root)
    _leases(found)
    before = _driver(root)
    found.records = list(_documents(found, "records", read_record))
    found.intents = list(_documents(found, intents.FOLDER, intents.look))
    found.intents.sort(key=lambda one: (one["task"], one["position"], one["id"]))
    _rung_log(found)
    jobs = names(found, root / "artefacts")
    for number, name in enumerate(jobs):
        progress(number, len(jobs))
        folder = root / "artefacts" / name
        match = JOB.fullmatch(name)
        if match is None:
            found.remark(folder, "no job's folder")
        else:
            _job(found, folder, (match["stage"], match["key"]))
    _strays(found)
    found.driver = _driver(root) or before
    return found


def reason(problem: Exception) -> str:
    """Return what an exception says, on one line and without the path of the file."""
    words = problem.strerror if isinstance(problem, OSError) else None
    return " ".join((words or str(problem)).split())


def _leases(found: Audit) -> None:
    """Look at what the drivers left."""
    folder = found.root / lease.FOLDER
    for name in names(found, folder):
        try:
            if name.endswith(".json") and not name.startswith("."):
                unsealed((folder / name).read_bytes())
        except (ValueError, OSError) as problem:
            found.fault(folder / name, reason(problem))


def _driver(root: Path) -> Holder | None:
    """Return who drives the sweep just now; None if its files cannot be read, either."""
    try:
        return lease.driver(root)
    except OSError:
        return None


def names(found: Audit, folder: Path) -> list[str]:
    """Return the names in a folder, sorted; none if it is missing."""
    try:
        return sorted(os.listdir(folder))
    except OSError as problem:
        if not isinstance(problem, FileNotFoundError) or folder.is_symlink():
            found.fault(folder, f"cannot be listed: {reason(problem)}")
        return []


def _documents(
    found: Audit, name: str, read: Callable[[Path], dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield the valid documents in a folder."""
    for file in names(found, found.root / name):
        path = found.root / name / file
        if path.suffix == ".corrupt":
            found.remark(path, "set aside as damaged")
        elif path.suffix == ".json" and not file.startswith("."):
            try:
                yield read(path)
            except (ValueError, OSError) as problem:
                found.fault(path, reason(problem))


def _rung_log(found: Audit) -> None:
    log = RungLog(found.root / "rungs.jsonl")
    try:
        if log.path.is_symlink():
            log.path.stat()  # one that leads nowhere is more than a missing file
        for line, what in log.faults():
            found.fault(log.path, f"line {line}: {what}")
        if log.torn():
            found.remark(log.path, "its last line has no end: it is being written, or was cut off")
        found.entries = log.read()
    except OSError as problem:
        found.fault(log.path, f"cannot be read: {reason(problem)}")


def _strays(found: Audit) -> None:
    """Point at records elsewhere below the root: tables and resumes would take them in."""
    for path in map(Path, record_files(found.root)):
        if path.parent != found.root / "records":
            found.fault(path, "a record outside of records/, which tables would take in")


def _job(found: Audit, folder: Path, job: Address) -> None:
    """Hash the snapshots of a job, and read its notes."""
    lengths, notes = found.snapshots.setdefault(job, set()), found.notes.setdefault(job, {})
    for name in names(found, folder):
        path = folder / name
        if path.suffix == ".corrupt":
            found.remark(path, "set aside as damaged")
            continue
        try:
            if match := MANIFEST.fullmatch(name):
                _snapshot(found, path, job, int(match["updates"]))
                lengths.add(int(match["updates"]))
            elif match := NOTE.fullmatch(name):
                notes[match["name"]] = unsealed(path.read_bytes())["note"]
            elif path.suffix == ".fate" and path.read_bytes() not in (
                retention.KEEP,
                retention.PRUNE,
            ):
                raise ValueError("neither kept nor pruned; it counts as kept")
        except OtherSchema as problem:
            found.unread.setdefault(job, set()).add(int(name[:9]))
            found.remark(path, reason(problem))
        except KeyError:
            found.fault(path, "no note")
        except (ValueError, OSError) as problem:
            if os.path.lexists(path):  # else it was pruned meanwhile
                found.fault(path, reason(problem))


def _snapshot(found: Audit, path: Path, job: Address, updates: int) -> None:
    """Hash a snapshot; ``ValueError`` says what is wrong with it.

    One that is replaced meanwhile, as by a driver that took over, is looked at again.
    """
    while True:
        raw = path.read_bytes()
        try:
            size = _hashed(path.parent, decode(raw, *job, updates))
            break
        except ValueError:
            if path.read_bytes() == raw:
                raise
    found.files, found.bytes = found.files + 1, found.bytes + size


def _hashed(folder: Path, artefact: CheckpointInfo) -> int:
    """Return the bytes of a snapshot's data file if they are what its manifest says."""
    data = folder / artefact.file
    try:
        size, digest = data.stat().st_size, sha256_file(data)
    except OSError as problem:
        raise ValueError(f"its data file {artefact.file}: {problem.strerror}") from None
    if size != artefact.bytes:
        raise ValueError(
            f"{artefact.file} has {size:,} bytes, its manifest says {artefact.bytes:,}"
        )
    if digest != artefact.sha256:
        raise ValueError(
            f"{artefact.file} has SHA-256 {digest[:12]}..., not {artefact.sha256[:12]}..."
        )
    return size

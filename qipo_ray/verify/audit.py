"""An audit reads every file of a results folder, changes none, and notes what is damaged."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qipo_ray.store import intents, lease, retention
from qipo_ray.store.artefacts import MANIFEST, sidecar_in
from qipo_ray.store.files import sha256_file, unsealed
from qipo_ray.store.lease import Holder
from qipo_ray.store.manifest import CheckpointInfo, OtherSchema, decode
from qipo_ray.store.records import RECORDS, record_files
from qipo_ray.store.rung_log import LOG_FILE, RungLog

JOB = re.compile(r"(?P<stage>[a-z]{1,32})-(?P<key>[0-9a-f]{16})")
SIDECAR = re.compile(r"note-(?P<name>.+)\.json")
FATES = (retention.KEEP, retention.PRUNE)  # contents of the files *.fate
Address = tuple[str, str]  # of a job: stage and key


@dataclass(frozen=True)
class Finding:
    """A message about a file: its path below the results folder, and what is the matter."""

    place: str
    what: str


@dataclass
class Audit:
    """Files and findings: ``faults`` are wrong, ``remarks`` are mended or cannot be judged."""

    root: Path
    driver: Holder | None = None  # of the sweep, if one runs
    records: list[dict[str, Any]] = field(default_factory=list)  # valid ones, by id
    intents: list[dict[str, Any]] = field(default_factory=list)  # by task and position
    entries: list[dict[str, Any]] = field(default_factory=list)  # of the rung log
    snapshots: dict[Address, set[int]] = field(default_factory=dict)  # updates of sound ones
    unread: dict[Address, set[int]] = field(default_factory=dict)  # updates, of another version
    sidecars: dict[Address, dict[str, Any]] = field(default_factory=dict)  # by name
    files: int = 0  # of artefacts, hashed
    bytes: int = 0
    faults: list[Finding] = field(default_factory=list)
    remarks: list[Finding] = field(default_factory=list)

    def fault(self, path: Path, message: str) -> None:
        """Note something that is wrong."""
        self.faults.append(Finding(self._relative(path), message))

    def remark(self, path: Path, message: str) -> None:
        """Note something worth knowing."""
        self.remarks.append(Finding(self._relative(path), message))

    def record_path(self, identity: str) -> Path:
        """Return the path of a record."""
        return self.root / "records" / f"{identity}.json"

    def intent_path(self, trial: str) -> Path:
        """Return the path of a trial's intent."""
        return self.root / intents.FOLDER / f"{trial}.json"

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder, sorted; empty if it is missing."""
        try:
            return sorted(os.listdir(folder))
        except OSError as problem:
            if not isinstance(problem, FileNotFoundError) or folder.is_symlink():
                self.fault(folder, f"cannot be listed: {reason(problem)}")
            return []

    def _relative(self, path: Path) -> str:
        """Return the path below the root, with escapes for signs that cannot be printed."""
        text = os.fsencode(path.relative_to(self.root)).decode("utf-8", "backslashreplace")
        return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def audit_files(
    root: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> Audit:
    """Return what the files under ``root`` hold and which are damaged; ``progress(done, total)``.

    It may run beside a sweep: each kind of file is read before those that are written earlier, and
    a file that is replaced or pruned meanwhile is no fault.
    """
    audit = Audit(root)
    _read_leases(audit)
    before = _driver(root)
    audit.records = list(_documents(audit, "records", RECORDS.read))
    audit.intents = list(_documents(audit, intents.FOLDER, intents.INTENTS.read))
    audit.intents.sort(key=lambda intent: (intent["task"], intent["position"], intent["id"]))
    _read_rung_log(audit)
    jobs = audit.names(root / "artefacts")
    for number, name in enumerate(jobs):
        progress(number, len(jobs))
        folder = root / "artefacts" / name
        match = JOB.fullmatch(name)
        if match is None:
            audit.remark(folder, "no job's folder")
        else:
            _read_job(audit, folder, (match["stage"], match["key"]))
    _find_strays(audit)
    audit.driver = _driver(root) or before
    return audit


def reason(problem: Exception) -> str:
    """Return what an exception says, on one line and without the path of the file."""
    text = problem.strerror if isinstance(problem, OSError) else None
    return " ".join((text or str(problem)).split())


def _read_leases(audit: Audit) -> None:
    """Check the files that the drivers' leases left."""
    folder = audit.root / lease.FOLDER
    for name in audit.names(folder):
        try:
            if name.endswith(".json") and not name.startswith("."):
                unsealed((folder / name).read_bytes())
        except (ValueError, OSError) as problem:
            audit.fault(folder / name, reason(problem))


def _driver(root: Path) -> Holder | None:
    """Return the driver of the sweep, None also if its files cannot be read."""
    try:
        return lease.driver(root)
    except OSError:
        return None


def _documents(
    audit: Audit, name: str, read: Callable[[Path], dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield the valid documents in a folder."""
    for file in audit.names(audit.root / name):
        path = audit.root / name / file
        if path.suffix == ".corrupt":
            audit.remark(path, "set aside as damaged")
        elif path.suffix == ".json" and not file.startswith("."):
            try:
                yield read(path)
            except (ValueError, OSError) as problem:
                audit.fault(path, reason(problem))


def _read_rung_log(audit: Audit) -> None:
    log = RungLog(audit.root / LOG_FILE)
    try:
        if log.path.is_symlink():
            log.path.stat()  # a dangling link is more than a missing file
        for line, message in log.faults():
            audit.fault(log.path, f"line {line}: {message}")
        if log.torn():
            audit.remark(log.path, "its last line has no end: it is being written, or was cut off")
        audit.entries = log.read()
    except OSError as problem:
        audit.fault(log.path, f"cannot be read: {reason(problem)}")


def _find_strays(audit: Audit) -> None:
    """Note records elsewhere below the root: tables and resumes would take them in."""
    for path in map(Path, record_files(audit.root)):
        if path.parent != audit.root / "records":
            audit.fault(path, "a record outside of records/, which tables would take in")


def _read_job(audit: Audit, folder: Path, job: Address) -> None:
    """Hash the snapshots of a job, and read its sidecars."""
    lengths, sidecars = audit.snapshots.setdefault(job, set()), audit.sidecars.setdefault(job, {})
    for name in audit.names(folder):
        path = folder / name
        if path.suffix == ".corrupt":
            audit.remark(path, "set aside as damaged")
            continue
        try:
            if match := MANIFEST.fullmatch(name):
                _hash_snapshot(audit, path, job, int(match["updates"]))
                lengths.add(int(match["updates"]))
            elif match := SIDECAR.fullmatch(name):
                sidecars[match["name"]] = sidecar_in(path.read_bytes(), *job, match["name"])
            elif path.suffix == ".fate" and path.read_bytes() not in FATES:
                raise ValueError("neither kept nor pruned; it counts as kept")
        except OtherSchema as problem:
            audit.unread.setdefault(job, set()).add(int(name[:9]))
            audit.remark(path, reason(problem))
        except (ValueError, OSError) as problem:
            if os.path.lexists(path):  # else it was pruned meanwhile
                audit.fault(path, reason(problem))


def _hash_snapshot(audit: Audit, path: Path, job: Address, updates: int) -> None:
    """Hash a snapshot; ``ValueError`` says what is wrong with it.

    One that is replaced meanwhile, as by a driver that took over, is read again.
    """
    while True:
        raw = path.read_bytes()
        try:
            size = _data_bytes(path.parent, decode(raw, *job, updates))
            break
        except ValueError:
            if path.read_bytes() == raw:
                raise
    audit.files, audit.bytes = audit.files + 1, audit.bytes + size


def _data_bytes(folder: Path, artefact: CheckpointInfo) -> int:
    """Return the size of a snapshot's data file if its hash is the manifest's."""
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

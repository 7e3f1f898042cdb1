"""Bring one published file into D4RL's cache: whole and verified, or not at all.

What has come so far lies in ``.NAME.part`` beside the target and is gone on with by the next call,
after a kill at any moment as well. That file is the lock, too: a second process waits for the
first and finds the finished file.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from qipo_ray.data.catalogue import ORIGINS, Entry
from qipo_ray.data.http import BLOCK, Body, Broken, Changed, request
from qipo_ray.errors import UserError

OVERLAP = 2**16  # bytes at the end of a part that are asked for again and compared
ATTEMPTS = 5  # in a row that bring nothing new

Progress = Callable[[int, int | None], None]  # bytes done, bytes in all


@dataclass(frozen=True)
class DownloadLimits:
    """When to give up: ``bytes`` of a file of unknown size, ``seconds`` for one file.

    ``pause_s`` is the wait after a try that brought nothing, doubled each time.
    """

    bytes: int = 4 * 10**9
    seconds: float = 3600.0
    pause_s: float = 1.0


def fetch(
    entry: Entry,
    *,
    trust: bool = False,
    limits: DownloadLimits | None = None,
    report: Progress = lambda done, total: None,
    waiting: Callable[[], None] = lambda: None,
    origins: Sequence[str] = ORIGINS,
) -> tuple[Path, str]:
    """Return the file's place and SHA-256, downloaded if it is not there.

    Args:
        entry: the file.
        trust: take a file whose SHA-256 nobody published; without it such a file is downloaded,
            its SHA-256 is said, and it waits beside its place. What was trusted is written beside
            the file, and held to from then on.
        limits: when to give up.
        report: called with the bytes that are there and those that there will be.
        waiting: called where another process is at it, before waiting for that one.
        origins: schemes and hosts that files may come from.

    Raises:
        UserError: one line: what went wrong, and whether the same command goes on from there.
    """
    limits = limits or DownloadLimits()
    try:
        entry.target.parent.mkdir(parents=True, exist_ok=True)
        with _part(entry, waiting) as part:
            if entry.target.exists():
                return entry.target, _present(entry)
            if os.fstat(part).st_size != entry.bytes:
                _Transfer(entry, part, limits, report, origins).run()
            digest = _verified(entry, part, trust)
            os.fsync(part)
            os.replace(_part_path(entry), entry.target)
            if entry.sha256 is None:
                _pin_path(entry).write_text(f"{digest}  {entry.target.name}\n", encoding="utf-8")
            flush(entry.target.parent)
            return entry.target, digest
    except OSError as error:
        path = error.filename or entry.target.parent
        raise UserError(f"{entry.task_id}: {path}: {error.strerror or error}") from error


@dataclass
class _Transfer:
    """The way of one file into its part, over as many connections as it takes."""

    entry: Entry
    part: int
    limits: DownloadLimits
    report: Progress
    origins: Sequence[str]

    def __post_init__(self) -> None:
        self.end = time.monotonic() + self.limits.seconds

    def run(self) -> None:
        """Fill the part; ``UserError`` where limits or the server's answers forbid."""
        idle = changes = 0
        while True:
            before = self._size()
            try:
                self._once(before)
                return
            except Changed:
                os.ftruncate(self.part, 0)
                changes += 1
                reason = "changes while it is read"
            except Broken as error:
                idle = 0 if self._size() > before else idle + 1
                reason = str(error)
            late = time.monotonic() >= self.end
            if late or ATTEMPTS in (idle, changes):
                break
            if idle:
                self._wait(idle)
        if late:
            reason = f"took longer than {self.limits.seconds:g} s ({reason})"
        kept = f"{self._size():,} bytes are kept, the same command goes on from there"
        raise UserError(f"{self.entry.url} {reason}; {kept if self._size() else 'nothing came'}")

    def _once(self, before: int) -> None:
        """Go on from ``before`` until the file's end, a little of what is there seen again."""
        start = max(0, before - OVERLAP)
        left = max(0.1, self.end - time.monotonic())
        with request(self.entry.url, start, left, self.origins) as body:
            self._check_total(body, before)
            offset, total = body.start, self.entry.bytes or body.total
            for block in body.blocks():
                offset = self._take(block, offset, before)
                self.report(offset, total)
                if time.monotonic() >= self.end:
                    raise Broken("out of time")
        if offset < (total or before):
            raise Broken("cut off by the server")

    def _check_total(self, body: Body, before: int) -> None:
        """Refuse a file of another size before it comes; ``Changed`` if it shrank."""
        total, published = body.total, self.entry.bytes
        if total is not None and published is not None and total != published:
            raise UserError(
                f"{self.entry.url} has {total:,} bytes, the published file has {published:,}; "
                "it is not taken"
            )
        if total is not None and total < before:
            raise Changed
        self._check_limit(total or 0)
        free = shutil.disk_usage(self.entry.target.parent).free
        if (total or 0) - before > free:
            raise UserError(
                f"{self.entry.target.parent} has {free / 1e6:,.0f} MB left; "
                f"{self.entry.url} needs {((total or 0) - before) / 1e6:,.0f} MB"
            )

    def _check_limit(self, size: int) -> None:
        published = self.entry.bytes
        if size > (self.limits.bytes if published is None else published):
            limit = f"published {published:,}" if published else f"limit of {self.limits.bytes:,}"
            raise UserError(f"{self.entry.url} sends more than the {limit} bytes; it is not taken")

    def _take(self, block: bytes, offset: int, kept: int) -> int:
        """Return the place behind a block; up to ``kept`` the part must hold the same bytes."""
        old = block[: max(0, kept - offset)]
        if old and os.pread(self.part, len(old), offset) != old:
            raise Changed
        self._check_limit(offset + len(block))
        view = memoryview(block)[len(old) :]
        offset += len(old)
        while view:
            written = os.pwrite(self.part, view, offset)
            view, offset = view[written:], offset + written
        return offset

    def _wait(self, idle: int) -> None:
        time.sleep(min(self.limits.pause_s * 2**idle, max(0.0, self.end - time.monotonic())))

    def _size(self) -> int:
        return os.fstat(self.part).st_size


def _present(entry: Entry) -> str:
    """Return the SHA-256 of the file that lies in the target's place already."""
    digest = _sha256(entry.target)
    expected, of = _expected(entry)
    if expected not in (None, digest):
        raise UserError(
            f"{entry.target} is there, but its SHA-256 is {digest}, {of} is "
            f"{expected}; move it away first"
        )
    return digest


def _expected(entry: Entry) -> tuple[str | None, str]:
    """Return the SHA-256 that a file must have, if one is known, and whose it is."""
    if entry.sha256 is not None:
        return entry.sha256, "the published file's"
    pin = _pin_path(entry)
    if not pin.exists():
        return None, ""
    words = pin.read_text(encoding="utf-8", errors="replace").split()
    return words[0] if words else "", f"that of {pin.name}, trusted before,"


def _pin_path(entry: Entry) -> Path:
    return entry.target.with_name(f"{entry.target.name}.sha256")  # as `sha256sum -c` reads it


def _verified(entry: Entry, part: int, trust: bool) -> str:
    """Return the SHA-256 of a finished part that may be used."""
    path = _part_path(entry)
    digest, size = _sha256(path), os.fstat(part).st_size
    expected, of = _expected(entry)
    if expected not in (None, digest):
        path.unlink()
        raise UserError(
            f"{entry.url} came with SHA-256 {digest}, {of} is {expected}; it was removed"
        )
    if expected is None and not trust:
        raise UserError(
            f"no SHA-256 is known for {entry.task_id}; {entry.url} came with {size:,} bytes and "
            f"SHA-256 {digest}; to use it: qipo-ray data get {entry.task_id} --trust"
        )
    return digest


def _part_path(entry: Entry) -> Path:
    return entry.target.with_name(f".{entry.target.name}.part")


@contextmanager
def _part(entry: Entry, waiting: Callable[[], None]) -> Iterator[int]:
    """Yield the part, open and locked; an empty one is not left behind."""
    path = _part_path(entry)
    while True:
        part = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            try:
                fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(part, fcntl.LOCK_EX)
            if not _same(path, part):  # it was finished or removed while this process waited
                continue
            try:
                yield part
            finally:
                if _same(path, part) and os.fstat(part).st_size == 0:
                    path.unlink()
            return
        finally:
            os.close(part)


def _same(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def flush(path: Path) -> None:
    """Return when the file's or folder's content is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""The rung log: one line per trial and rung that was reached, in the order of arrival.

Lines are only ever appended, each with a check sum, and each carries the attempt of the driver
that wrote it. A driver that was overtaken may still write; what it writes then does not count.

In a bucket the log is one object, which each line replaces as its writer left it: the mark of a
new driver makes that of the one before fail.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from typing_extensions import TypedDict

from qipo_ray.config.json_types import Count, Name, Number, Positive, Utc
from qipo_ray.config.validation import Validator
from qipo_ray.store import bucket
from qipo_ray.store.files import (
    flush_folder,
    make_folder,
    naming,
    parse_json,
    read_bytes,
    write_bytes,
)
from qipo_ray.store.intents import TrialId
from qipo_ray.store.record_schema import RecordError

LOG_FILE = "rungs.jsonl"  # of a sweep, in its folder
logger = logging.getLogger(__name__)


class EntryFields(TypedDict):
    """The value that a trial reached at a rung."""

    trial: TrialId
    task: Name
    rung: Count  # from 0
    updates: Positive  # of the policy stage
    value: Number | None  # mean over the search seeds, percent; null: not a number
    attempt: Positive  # of the driver
    at: Utc


class MarkFields(TypedDict):
    """The mark of a new driver."""

    attempt: Positive
    mark: Literal["fence"]


ENTRY, MARK = Validator(EntryFields, RecordError), Validator(MarkFields, RecordError)


class RungLog:
    """The log in one file. One driver appends; anyone may read at any time."""

    def __init__(self, path: Path) -> None:
        """Use ``path``; nothing is made before the first line."""
        self.path = Path(path)
        self._left: tuple[bytes, bucket.Version] | None = None  # an object, as we left it

    def fence(self, attempt: int) -> list[dict[str, Any]]:
        """Return all entries, after a durable mark: lower attempts count no more from here.

        A driver opens the log with it, before it decides anything from the entries. A last line
        without an end is cut off and kept in ``<name>.torn``.
        """
        mark = {"attempt": attempt, "mark": "fence"}
        MARK.check(mark, "mark")
        if bucket.is_object(self.path):
            self._fence_object(attempt, _encode(mark))
        else:
            self._cut()
            self._append(mark)
        return self.read()

    def append(self, entry: dict[str, Any]) -> None:
        """Add an entry durably, in one write; ``RecordError`` names the field that is wrong.

        After an ``OSError`` the entry is in the log wholly or not at all, and may be added again.
        """
        ENTRY.check(entry, "entry")
        self._append(entry)

    def read(self) -> list[dict[str, Any]]:
        """Return the entries that count, in order: of one trial and rung only the first.

        A last line without an end is left out; other damaged lines are left out with a warning.
        """
        newest, counted, entries = 0, set(), []
        for number, line in self._lines():
            if isinstance(line, ValueError):
                logger.warning("%s:%d is skipped: %s", self.path, number, line)
                continue
            if line["attempt"] < newest:
                continue
            newest = line["attempt"]
            if "mark" not in line and (line["trial"], line["rung"]) not in counted:
                counted.add((line["trial"], line["rung"]))
                entries.append(line)
        return entries

    def newest_attempt(self) -> int:
        """Return the highest attempt that a line carries, 0 without lines."""
        sound = (line for _, line in self._lines() if not isinstance(line, ValueError))
        return max((line["attempt"] for line in sound), default=0)

    def faults(self) -> list[tuple[int, str]]:
        """Return number and fault of every whole line that ``read`` leaves out as damaged."""
        return [(i, str(line)) for i, line in self._lines() if isinstance(line, ValueError)]

    def torn(self) -> bool:
        """Return whether the last line has no end: it is being written, or its writer died."""
        return bool(self._content().rpartition(b"\n")[2])

    def _content(self) -> bytes:
        try:
            return read_bytes(self.path)
        except FileNotFoundError:
            return b""

    def _lines(self) -> Iterator[tuple[int, dict[str, Any] | ValueError]]:
        """Yield number and content, or fault, of every whole line but empty ones."""
        for number, line in enumerate(self._content().split(b"\n")[:-1], start=1):
            if line:
                try:
                    yield number, _decode(line)
                except ValueError as problem:
                    yield number, problem

    def _fence_object(self, attempt: int, mark: bytes) -> None:
        """Put the mark, however many lines a driver before adds meanwhile.

        ``Overtaken`` if a higher attempt has marked the log.
        """
        while self._left is None:
            try:
                left = bucket.read(self.path)
            except FileNotFoundError:
                left = b"", None
            if self.newest_attempt() > attempt:
                raise bucket.Overtaken(f"{self.path}: a later driver has taken over")
            with suppress(bucket.Overtaken):
                self._left = left[0] + mark, bucket.replace(self.path, left[0] + mark, left[1])

    def _append_to_object(self, line: bytes) -> None:
        if self._left is None:
            raise ValueError("a log in a bucket begins with the mark of its driver")
        content, version = self._left
        self._left = content + line, bucket.replace(self.path, content + line, version)

    def _append(self, content: dict[str, Any]) -> None:
        if bucket.is_object(self.path):
            return self._append_to_object(_encode(content))
        make_folder(self.path.parent)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            data = _encode(content)
            if not _ends(descriptor):
                data = b"\n" + data  # nothing is cut here: another driver may be at its last line
            with naming(self.path):
                written = os.write(descriptor, data)
                if written < len(data):
                    reason = f"only {written} of {len(data)} bytes were written"
                    raise OSError(errno.ENOSPC, reason)
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        flush_folder(self.path.parent)

    def _cut(self) -> None:
        """Cut a last line without an end, and keep it aside."""
        content = self._content()
        torn = content.rpartition(b"\n")[2]
        if torn:
            aside = self.path.with_name(self.path.name + ".torn")
            before = aside.read_bytes() if aside.exists() else b""
            write_bytes(aside, before + torn + b"\n")
            os.truncate(self.path, len(content) - len(torn))
            logger.warning("%s ended in a torn line; it is kept in %s", self.path, aside.name)


def _ends(descriptor: int) -> bool:
    """Return whether a file is empty or its last line has an end."""
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"


def _canonical(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _check_sum(content: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(content).encode()).hexdigest()[:16]


def _encode(content: dict[str, Any]) -> bytes:
    return (_canonical({**content, "check": _check_sum(content)}) + "\n").encode()


def _decode(line: bytes) -> dict[str, Any]:
    """Return a line's content; ``ValueError`` for damage of any kind."""
    content = parse_json(line)
    if not isinstance(content, dict) or content.pop("check", None) != _check_sum(content):
        raise RecordError("check sum is missing or does not match")
    (MARK if "mark" in content else ENTRY).check(content, "line")
    return content

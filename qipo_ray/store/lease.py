"""The lease: one driver per sweep.

``<root>/driver/<attempt:06d>.json`` names the process that drives, and carries its heartbeat. A
new driver takes the next number, which only one process can create, so that of any number of
takers one wins; there is no lock that a stopped process could hold. Old files stay: they are the
history of the sweep's drivers, and the reason why an attempt number never comes twice.

Our own, because a lock of the operating system or of a library holds on one machine only, or needs
a server; a sweep has nothing but its folder, which may lie on a shared disk or in a bucket.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from qipo_ray.config.json_types import Expected, Flag, NonNegative, Positive
from qipo_ray.config.validation import Validator, schema_of
from qipo_ray.errors import Failure, UserError
from qipo_ray.store.background import background
from qipo_ray.store.bucket import fences, is_object
from qipo_ray.store.files import (
    names,
    process_exists,
    read_bytes,
    remove_stale,
    sealed,
    unsealed,
    write_bytes,
    write_new,
)
from qipo_ray.store.rung_log import LOG_FILE, RungLog

logger = logging.getLogger(__name__)

FOLDER = "driver"
Clock = Callable[[], float]  # seconds since 1970
BEAT_EVERY_S = 10.0
WATCH_S = 30  # that a heartbeat in the future is watched: it changes if its driver lives
SILENT_S = 60.0  # seconds without a heartbeat after which a driver elsewhere is taken for gone


class LeaseHeld(UserError):
    """Another driver has the sweep; the text names its process, host and start."""


class LeaseLost(UserError):
    """Another driver has taken this sweep over; this one must stop."""


class StopAsked(Failure):
    """Somebody asked the driver to stop, from wherever the folder can be seen."""


Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f]{0,200}$"), Expected("one line of text")]


@dataclass(frozen=True)
class Holder:
    """A driver, as its file says."""

    pid: Positive
    host: Line
    place: Line  # where the number `pid` means something: boot of a machine, process namespace
    birth: Line  # of the process, in ticks since boot; "" where the system does not tell
    started: Line  # UTC, ISO 8601
    heartbeat: NonNegative  # seconds since 1970
    released: Flag

    def __str__(self) -> str:
        """Return the driver in words for a message."""
        return f"process {self.pid} on host {self.host}, started {self.started}"


HOLDER = Validator(schema_of(Holder))


class Lease:
    """The right to drive a sweep, as long as ``beat`` is called every few seconds."""

    def __init__(
        self, root: Path, attempt: int, holder: Holder, before: Holder | None, clock: Clock
    ) -> None:
        """Hold what ``take`` won."""
        self.root = root
        self.attempt = attempt  # higher than that of every driver before
        self.holder = holder
        self.before = before  # the driver whose lease was taken over; None if it had let go
        self._clock = clock

    @classmethod
    def take(
        cls, root: Path, clock: Clock = time.time, sleep: Callable[[float], None] = time.sleep
    ) -> Lease:
        """Return the lease of the sweep at ``root``; ``LeaseHeld`` if another driver has it.

        That of a dead process on this machine, or of a silent one elsewhere, is taken over. Where
        the clocks of two machines differ much, the other's heartbeat is watched for a while.
        """
        root = Path(root)
        logged = RungLog(root / LOG_FILE).newest_attempt()  # where `driver/` was lost
        while True:
            attempt = newest_attempt(root)
            before = _read(root, attempt)
            held = before is not None and _drives(before, clock())
            if held and not _stands_still(root, attempt, clock(), sleep):
                raise LeaseHeld(
                    f"{root} is driven by {before}; stop that one first (a driver on another "
                    f"machine that died is replaced {SILENT_S:.0f} s after its last heartbeat)"
                )
            holder = _myself(clock())
            with suppress(FileExistsError):  # another taker was faster: look who it is
                mine = max(attempt, logged) + 1
                write_new(_path(root, mine), sealed(asdict(holder)))
                taken_over = None if before is None or before.released else before
                return cls(root, mine, holder, taken_over, clock)

    def beat(self) -> None:
        """Renew the heartbeat; ``LeaseLost`` if another driver has taken over meanwhile.

        ``StopAsked`` if somebody has left the sign for this driver.
        """
        self.check()
        if _stop_sign(self.root, self.attempt).name in names(self.root / FOLDER):
            raise StopAsked("stopped from another shell; the same command goes on")
        self._write(replace(self.holder, heartbeat=self._clock()))

    def check(self) -> None:
        """Raise ``LeaseLost`` if another driver has taken over."""
        newest = newest_attempt(self.root)
        if newest > self.attempt:
            raise LeaseLost(f"{self.root} was taken over by {_read(self.root, newest)}")

    def release(self) -> None:
        """Let go, so that the next driver need not wait; fine after the lease was lost."""
        self._write(replace(self.holder, heartbeat=self._clock(), released=True))

    def _write(self, holder: Holder) -> None:
        write_bytes(_path(self.root, self.attempt), sealed(asdict(holder)))
        self.holder = holder


@contextmanager
def driving(root: Path) -> Iterator[Lease]:
    """Hold the lease of ``root`` for the length of the block.

    ``LeaseHeld`` at once, naming the holder, if another process has it; ``LeaseLost`` interrupts
    the block if another has taken it over, ``StopAsked`` if somebody wants it to stop.
    """
    lease = Lease.take(root)
    if is_object(root):
        fences[str(root)] = lease.check
    else:
        _sweep_up(Path(root))

    def beat(over: threading.Event) -> None:
        while not over.wait(BEAT_EVERY_S):
            lease.beat()

    try:
        with background(beat):
            yield lease
    finally:
        fences.pop(str(root), None)
        lease.release()


def _sweep_up(root: Path) -> None:
    """Remove the temporary files that killed writers left in a results folder."""
    for pattern in ("*", "artefacts/*", "artefacts/*/staging-*"):
        for folder in root.glob(pattern):
            remove_stale(folder)
    remove_stale(root)


def driver(root: Path, clock: Clock = time.time) -> Holder | None:
    """Return who drives the sweep at ``root`` just now, as far as can be told from here."""
    holder = _read(Path(root), newest_attempt(Path(root)))
    return holder if holder is not None and _drives(holder, clock()) else None


def ask_to_stop(root: Path) -> Holder:
    """Return the driver of the sweep at ``root``, which ends at its next heartbeat.

    ``UserError`` if nobody drives it.
    """
    holder, attempt = driver(root), newest_attempt(Path(root))
    if holder is None:
        raise UserError(f"nobody drives {root}; there is nothing to stop")
    write_bytes(_stop_sign(Path(root), attempt), b"")
    return holder


def driven_seconds(root: Path) -> float:
    """Return how long the sweep at ``root`` has been driven, by all its drivers together."""
    holders = (_read(Path(root), attempt) for attempt in range(1, newest_attempt(Path(root)) + 1))
    return sum(
        max(0.0, holder.heartbeat - datetime.fromisoformat(holder.started).timestamp())
        for holder in holders
        if holder is not None
    )


def _drives(holder: Holder, now: float) -> bool:
    """Return whether a driver must be taken for alive."""
    if holder.released:
        return False
    if holder.place == _place():
        return holder.birth == _birth(holder.pid) if holder.birth else process_exists(holder.pid)
    return now - holder.heartbeat <= SILENT_S


def _stands_still(root: Path, attempt: int, now: float, sleep: Callable[[float], None]) -> bool:
    """Return whether a driver elsewhere, with a heartbeat in the future, makes no other."""
    holder = _read(root, attempt)
    if holder is None or holder.place == _place() or holder.heartbeat <= now + SILENT_S:
        return False
    logger.warning(
        "%s: the heartbeat of %s lies in the future; watching for %d s if it lives",
        root, holder, WATCH_S,
    )  # fmt: skip
    for _ in range(WATCH_S):
        sleep(1.0)
        if _read(root, attempt) != holder:
            return False
    return True


def _myself(now: float) -> Holder:
    return Holder(
        pid=os.getpid(),
        host=socket.gethostname(),
        place=_place(),
        birth=_birth(os.getpid()),
        started=datetime.fromtimestamp(now, timezone.utc).isoformat(timespec="seconds"),
        heartbeat=now,
        released=False,
    )


def _place() -> str:
    """Return what two processes share if and only if they see each other's numbers.

    Host names will not do: containers and laptops share names, and a reboot keeps them.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def _birth(pid: int) -> str:
    """Return when a process of this place began, in ticks since boot; "" if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return ""
    state, *rest = stat.rpartition(")")[2].split()  # the name before it may hold spaces
    return "" if state in "ZX" else rest[18]


def _path(root: Path, attempt: int) -> Path:
    return root / FOLDER / f"{attempt:06d}.json"


def _stop_sign(root: Path, attempt: int) -> Path:
    return root / FOLDER / f"{attempt:06d}.stop"


def newest_attempt(root: Path) -> int:
    """Return the highest attempt that has a file, 0 if none has."""
    files = [name for name in names(root / FOLDER) if name.endswith(".json")]
    stems = (name.removesuffix(".json") for name in files)
    return max((int(stem) for stem in stems if stem.isdecimal()), default=0)


def _read(root: Path, attempt: int) -> Holder | None:
    """Return the driver of an attempt; None for no attempt and for a damaged file.

    Files are replaced in one step, so damage came from the disk, and says nothing of a driver.
    """
    try:
        content: dict[str, Any] = unsealed(read_bytes(_path(root, attempt)))
        HOLDER.check(content, "driver")
        return Holder(**content)
    except (FileNotFoundError, ValueError):
        return None

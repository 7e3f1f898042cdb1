"""The snapshots of jobs by stage, key and length; verified before anyone parses them.

``<root>/artefacts/<stage>-<key>/`` holds, per snapshot, a data file and ``<updates:09d>.json``,
the manifest. The manifest is published last and deleted first, so what it names is complete.
"""

from __future__ import annotations

import hashlib
import logging
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from qipo_ray.store import retention
from qipo_ray.store.documents import read_or_set_aside
from qipo_ray.store.fencing import StaleToken, claim, discard, fenced
from qipo_ray.store.files import (
    check_name,
    flush_folder,
    names,
    read_bytes,
    remove_stale,
    sealed,
    set_aside,
    unsealed,
    write_bytes,
)
from qipo_ray.store.manifest import (
    MAX_UPDATES,
    CheckpointInfo,
    OtherSchema,
    decode,
    encode,
    matches,
)

logger = logging.getLogger(__name__)

STAGE = re.compile(r"[a-z]{1,32}")
MANIFEST = re.compile(r"(?P<updates>[0-9]{9})\.json")
DATA = re.compile(r"(?P<updates>[0-9]{9})-[0-9]{6}-[0-9a-f]{12}\.pt")
RECENT = 2  # valid snapshots that pruning leaves, besides the kept ones


class ArtefactStore:
    """The artefacts under one root folder; any number of processes may use it at once."""

    def __init__(self, root: Path) -> None:
        """Use ``root``; nothing is made before the first claim or sidecar."""
        self.root = Path(root)

    def folder(self, stage: str, key: str) -> Path:
        """Return the folder of a job, which may not exist; ``ValueError`` for an unsafe name."""
        if not STAGE.fullmatch(stage):
            raise ValueError(f"unsafe stage {stage!r:.80}: expected a-z only")
        return self.root / "artefacts" / f"{stage}-{check_name(key)}"

    def claim(self, stage: str, key: str) -> int:
        """Return a new, higher fencing token; from now on no lower one can publish."""
        folder = self.folder(stage, key)
        token = claim(folder)
        remove_stale(folder)
        try:
            with fenced(folder, token) as staging:  # a pruner that died here decided for no one
                for updates in retention.marked(folder):
                    retention.unmark(folder, updates, staging)
        except StaleToken:
            logger.info("attempt %d on %s was overtaken while it started", token, folder.name)
        return token

    def write(
        self,
        stage: str,
        key: str,
        updates: int,
        data: bytes,
        *,
        attempt: int,
        seconds: float = 0.0,
        cpu_seconds: float | None = None,
        keep: bool = False,
    ) -> CheckpointInfo:
        """Return what a snapshot of ``data`` is once it is durable, then prune.

        Pruning leaves the kept snapshots, the two newest valid ones, and the two newest valid
        ones up to ``updates``. ``attempt`` is the fencing token: ``StaleToken`` if a higher one
        was claimed. Any other error leaves the snapshots as they were or as they are after.
        """
        folder = self.folder(stage, key)
        if isinstance(updates, bool) or not 0 <= updates <= MAX_UPDATES:
            raise ValueError(f"updates must be from 0 to {MAX_UPDATES}; got {updates!r}")
        if not math.isfinite(seconds):
            raise ValueError(f"seconds must be finite; got {seconds!r}")
        with fenced(folder, attempt) as staging:
            retention.unmark(folder, updates, staging)
            old = self.find(stage, key, updates)
            digest = hashlib.sha256(data).hexdigest()
            new = CheckpointInfo(
                stage=stage,
                key=key,
                updates=updates,
                attempt=attempt,
                seconds=float(seconds),
                keep=keep or (old is not None and old.keep),
                file=f"{updates:09d}-{attempt:06d}-{digest[:12]}.pt",
                bytes=len(data),
                sha256=digest,
                cpu_seconds=cpu_seconds,
            )
            write_bytes(folder / new.file, data, staging=staging)
            write_bytes(_manifest_path(folder, updates), encode(new), staging=staging)
            self._prune(staging, new)
        return new

    def read(self, stage: str, key: str, updates: int) -> bytes | None:
        """Return the verified bytes of a snapshot; None if there is none or it is damaged.

        A damaged one is renamed to ``*.corrupt`` and logged as a warning.
        """
        loaded = self._load(stage, key, updates)
        return None if loaded is None else loaded[1]

    def newest(
        self, stage: str, key: str, at_most: int | None = None
    ) -> tuple[CheckpointInfo, bytes] | None:
        """Return the longest valid snapshot of at most ``at_most`` updates, with its bytes."""
        while True:
            lengths = self.lengths(stage, key)
            for updates in reversed(lengths):
                if at_most is None or updates <= at_most:
                    loaded = self._load(stage, key, updates)
                    if loaded is not None:
                        return loaded
            if self.lengths(stage, key) == lengths:  # else a writer went on meanwhile
                return None

    def find(self, stage: str, key: str, updates: int) -> CheckpointInfo | None:
        """Return what the manifest says of a snapshot, without reading its data."""
        manifest = self._manifest(stage, key, updates)
        return None if manifest is None else manifest[0]

    def lengths(self, stage: str, key: str) -> list[int]:
        """Return the updates of all snapshots that have a manifest, ascending; not verified."""
        return sorted(
            int(match["updates"])
            for name in names(self.folder(stage, key))
            if (match := MANIFEST.fullmatch(name))
        )

    def keep(self, stage: str, key: str, updates: int) -> bool:
        """Return True once the snapshot can never be pruned, False if it is gone or going."""
        folder = self.folder(stage, key)
        snapshot = self.find(stage, key, updates)
        if snapshot is None or snapshot.keep:
            return snapshot is not None
        return retention.pin(folder, updates) and self.find(stage, key, updates) is not None

    def sidecar(self, stage: str, key: str, name: str) -> Any:
        """Return the JSON document ``name`` of a job; None for none, a damaged, or another's."""
        path = self._sidecar_path(stage, key, name)
        return read_or_set_aside(path, lambda raw: sidecar_in(raw, stage, key, name))

    def write_sidecar(self, stage: str, key: str, name: str, obj: Any) -> None:
        """Put a JSON document ``name`` beside a job's snapshots, durably; the last one wins."""
        document = {"note": obj, "of": _owner(stage, key, name)}
        write_bytes(self._sidecar_path(stage, key, name), sealed(document))

    def _sidecar_path(self, stage: str, key: str, name: str) -> Path:
        return self.folder(stage, key) / f"note-{check_name(name)}.json"

    def _manifest(self, stage: str, key: str, updates: int) -> tuple[CheckpointInfo, bytes] | None:
        """Return a manifest, parsed and raw; sets a damaged one aside."""
        folder = self.folder(stage, key)
        path = _manifest_path(folder, updates)

        def parse(raw: bytes) -> tuple[CheckpointInfo, bytes] | None:
            try:
                info = decode(raw, stage, key, updates)
            except OtherSchema as problem:
                logger.warning("%s is left alone: %s", path, problem)
                return None
            keep = info.keep or retention.is_pinned(folder, updates)
            return replace(info, keep=keep), raw

        return read_or_set_aside(path, parse)

    def _load(self, stage: str, key: str, updates: int) -> tuple[CheckpointInfo, bytes] | None:
        """Return a snapshot whose bytes match its manifest; sets a damaged one aside."""
        folder = self.folder(stage, key)
        while True:
            manifest = self._manifest(stage, key, updates)
            if manifest is None:
                return None
            info, raw = manifest
            path = folder / info.file
            try:
                data = read_bytes(path)
                why = "its bytes do not match the manifest"
                if matches(info, data):
                    return info, data
            except FileNotFoundError:
                why = "its data file is missing"
            again = self._manifest(stage, key, updates)
            if again is not None and again[1] == raw:  # else replaced or pruned meanwhile
                set_aside(_manifest_path(folder, updates), raw, why)
                set_aside(path, None, why)
                return None

    def _prune(self, staging: Path, written: CheckpointInfo) -> None:
        """Delete what is neither kept, nor among the newest valid ones, nor named by a manifest.

        Only valid snapshots count as newest, so each is verified until enough are found.
        """
        stage, key = written.stage, written.key
        folder = self.folder(stage, key)
        lengths = self.lengths(stage, key)
        if len(lengths) > RECENT:
            below = [updates for updates in lengths if updates <= written.updates]
            protected = set(self._newest_valid(stage, key, below))
            if below != lengths:
                protected |= set(self._newest_valid(stage, key, lengths))
            for updates in lengths:
                if updates not in protected:
                    self._prune_one(staging, stage, key, updates)
        for name in names(folder):
            if (match := DATA.fullmatch(name)) and not self._named(
                stage, key, int(match["updates"]), name
            ):
                discard(staging, folder / name)
        flush_folder(folder)

    def _named(self, stage: str, key: str, updates: int, name: str) -> bool:
        """Return whether a manifest names this data file, or may: one of another version."""
        snapshot = self.find(stage, key, updates)
        if snapshot is None:
            folder = self.folder(stage, key)
            return _manifest_path(folder, updates).name in names(folder)
        return snapshot.file == name

    def _newest_valid(self, stage: str, key: str, lengths: list[int]) -> Iterator[int]:
        """Yield the updates of the newest valid snapshots among ``lengths``."""
        left = RECENT
        for updates in reversed(lengths):
            if left and self._load(stage, key, updates) is not None:
                left -= 1
                yield updates

    def _prune_one(self, staging: Path, stage: str, key: str, updates: int) -> None:
        """Delete a snapshot that nobody pinned: mark it, delete manifest and data, unmark it."""
        folder = self.folder(stage, key)
        snapshot = self.find(stage, key, updates)
        if snapshot is not None and not snapshot.keep and retention.mark(folder, updates, staging):
            discard(staging, _manifest_path(folder, updates))
            discard(staging, folder / snapshot.file)
            retention.unmark(folder, updates, staging)


def sidecar_in(raw: bytes, stage: str, key: str, name: str) -> Any:
    """Return the document in a sidecar's bytes; ``ValueError`` if damaged or of another job."""
    document, owner = unsealed(raw), _owner(stage, key, name)
    if document.get("of", owner) != owner:  # earlier builds did not say
        raise ValueError(f"it is of {document['of']}")
    if "note" not in document:
        raise ValueError("no note")
    return document["note"]


def _owner(stage: str, key: str, name: str) -> str:
    """Return what a document beside snapshots is sealed with, so that it is no other job's."""
    return f"{stage}/{key}/{name}"


def _manifest_path(folder: Path, updates: int) -> Path:
    return folder / f"{updates:09d}.json"

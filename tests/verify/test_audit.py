"""What a look at the files reports; what it means for a sweep is tested with `verify`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.store.files import write_bytes
from qipo_ray.store.records import write_record
from qipo_ray.store.rung_log import RungLog
from qipo_ray.verify import audit as module
from qipo_ray.verify.audit import audit_files

KEY = "0123456789abcdef"


def test_an_empty_folder_holds_nothing_and_nothing_wrong(tmp_path: Path) -> None:
    audit = audit_files(tmp_path)
    assert (audit.records, audit.intents, audit.entries, audit.files) == ([], [], [], 0)
    assert audit.faults == [] and audit.remarks == [] and list(tmp_path.iterdir()) == []


def test_what_is_there_is_read(tmp_path: Path, make_record: Callable[..., Any]) -> None:
    write_record(tmp_path, make_record(1.0))
    store = ArtefactStore(tmp_path)
    for key in (KEY, KEY[::-1]):
        attempt = store.claim("critic", key)
        for updates in (100, 200):
            store.write("critic", key, updates, b"weights", attempt=attempt)
        store.write_sidecar("critic", key, "score-1", {"a": 1})
    seen = []
    audit = audit_files(tmp_path, lambda done, total: seen.append((done, total)))
    assert audit.faults == [] and len(audit.records) == 1
    assert audit.snapshots == {("critic", key): {100, 200} for key in (KEY, KEY[::-1])}
    assert audit.sidecars == {("critic", key): {"score-1": {"a": 1}} for key in (KEY, KEY[::-1])}
    assert (audit.files, audit.bytes) == (4, 4 * len(b"weights"))
    assert seen == [(0, 2), (1, 2)]


def test_what_is_pruned_while_it_looks_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ArtefactStore(tmp_path)
    attempt = store.claim("policy", KEY)
    for updates in (100, 200):
        store.write("policy", KEY, updates, b"weights", attempt=attempt)
    folder = store.folder("policy", KEY)
    real = module.sha256_file

    def prune(path: Path) -> str:
        for old in folder.glob("*100*"):
            old.unlink()
        return real(path)

    monkeypatch.setattr(module, "sha256_file", prune)
    audit = audit_files(tmp_path)
    assert audit.faults == [] and audit.snapshots == {("policy", KEY): {200}}


def test_what_is_replaced_while_it_looks_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ArtefactStore(tmp_path)
    store.write("policy", KEY, 100, b"weights", attempt=store.claim("policy", KEY))
    real = module.sha256_file

    def replace(path: Path) -> str:
        if path.read_bytes() == b"weights":
            other = store.claim("policy", KEY)
            store.write("policy", KEY, 100, b"weights of another", attempt=other)
        return real(path)

    monkeypatch.setattr(module, "sha256_file", replace)
    audit = audit_files(tmp_path)
    assert audit.faults == [] and audit.snapshots == {("policy", KEY): {100}}
    assert (audit.files, audit.bytes) == (1, len(b"weights of another"))


def test_a_log_that_ends_in_mid_line_is_a_remark_and_a_damaged_line_a_fault(
    tmp_path: Path,
) -> None:
    log = RungLog(tmp_path / "rungs.jsonl")
    log.fence(1)
    with open(log.path, "ab") as file:
        file.write(b'{"half')
    assert log.torn() and log.faults() == []
    (remark,) = audit_files(tmp_path).remarks
    assert remark.place == "rungs.jsonl" and "no end" in remark.what
    log.path.write_bytes(log.path.read_bytes() + b"\n")
    assert not log.torn()
    (fault,) = audit_files(tmp_path).faults
    assert fault.what == "line 2: Unterminated string starting at: line 1 column 2 (char 1)"


def test_places_are_plain_text(tmp_path: Path) -> None:
    for name in (b"\xff", b"a\x1b[1m", "ü\u202e".encode()):
        write_bytes(tmp_path / "artefacts" / os.fsdecode(name), b"")
    places = [one.place for one in audit_files(tmp_path).remarks]
    assert places == ["artefacts/a\\x1b[1m", "artefacts/ü\\u202e", "artefacts/\\xff"]

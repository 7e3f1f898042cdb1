from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.store.retention import is_pinned, mark, marked, pin, unmark

JOB = ("critic", "0123456789abcdef")


def data(updates: int) -> bytes:
    return random.Random(updates).randbytes(5000)


def fill(store: ArtefactStore, *lengths: int) -> int:
    attempt = store.claim(*JOB)
    for updates in lengths:
        store.write(*JOB, updates, data(updates), attempt=attempt)
    return attempt


def test_a_snapshot_is_pinned_or_marked_but_never_both(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    staging.mkdir()
    assert pin(tmp_path, 100) and pin(tmp_path, 100) and is_pinned(tmp_path, 100)
    assert not mark(tmp_path, 100, staging)
    assert mark(tmp_path, 200, staging) and mark(tmp_path, 200, staging)
    assert not pin(tmp_path, 200) and not is_pinned(tmp_path, 200)
    assert marked(tmp_path) == [200]


def test_a_mark_can_be_removed_and_a_pin_cannot(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    staging.mkdir()
    pin(tmp_path, 100)
    mark(tmp_path, 200, staging)
    for updates in (100, 200, 300):
        unmark(tmp_path, updates, staging)
    assert is_pinned(tmp_path, 100) and marked(tmp_path) == []
    assert pin(tmp_path, 200)


@pytest.mark.parametrize("content", [b"", b"prun", b"prune\nx", b"\xff"])
def test_a_damaged_file_counts_as_a_pin(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "000000100.fate").write_bytes(content)
    assert is_pinned(tmp_path, 100) and pin(tmp_path, 100) and marked(tmp_path) == []


@pytest.mark.slow
def test_keep_at_any_point_of_pruning_is_a_promise(tmp_path: Path, disk: Any) -> None:
    answers = []
    for n in range(1, 200):
        store = ArtefactStore(tmp_path / str(n))
        attempt = fill(store, 100, 200)
        answer: list[bool] = []

        def ask(name: str, args: tuple[Any, ...], store: Any = store, a: Any = answer) -> None:
            a.append(store.keep(*JOB, 100))

        with disk.at(n, ask):
            store.write(*JOB, 300, data(300), attempt=attempt)
        if not disk.reached(n):
            break
        answers += answer
        assert store.read(*JOB, 100) == (data(100) if answer[0] else None)
        assert store.lengths(*JOB)[-2:] == [200, 300]
    assert set(answers) == {True, False}


def test_pruning_at_any_point_of_keep(tmp_path: Path, disk: Any) -> None:
    for n in range(1, 200):
        store = ArtefactStore(tmp_path / str(n))
        attempt = fill(store, 100, 200)

        def prune(name: str, args: tuple[Any, ...], store: Any = store, a: int = attempt) -> None:
            store.write(*JOB, 300, data(300), attempt=a)

        with disk.at(n, prune):
            kept = store.keep(*JOB, 100)
        if not disk.reached(n):
            break
        assert store.read(*JOB, 100) == (data(100) if kept else None)
    assert n > 3

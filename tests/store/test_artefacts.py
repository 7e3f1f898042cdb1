from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.store.files import sealed, unsealed
from qipo_ray.store.manifest import CheckpointInfo

JOB = ("critic", "0123456789abcdef")
OTHER = ("critic", "fedcba9876543210")


def data(updates: int) -> bytes:
    return random.Random(updates).randbytes(5000)


@pytest.fixture
def store(tmp_path: Path) -> ArtefactStore:
    return ArtefactStore(tmp_path)


def fill(
    store: ArtefactStore, *lengths: int, job: tuple[str, str] = JOB, keep: bool = False
) -> int:
    attempt = store.claim(*job)
    for updates in lengths:
        store.write(*job, updates, data(updates), attempt=attempt, keep=keep)
    return attempt


def data_file(store: ArtefactStore, updates: int, job: tuple[str, str] = JOB) -> Path:
    found = store.find(*job, updates)
    assert found is not None
    return store.folder(*job) / found.file


def manifest(store: ArtefactStore, updates: int, job: tuple[str, str] = JOB) -> Path:
    return store.folder(*job) / f"{updates:09d}.json"


def test_write_find_read(store: ArtefactStore) -> None:
    attempt = store.claim(*JOB)
    written = store.write(*JOB, 300, data(300), attempt=attempt, seconds=1.5)
    assert store.find(*JOB, 300) == written
    assert (written.updates, written.attempt, written.seconds) == (300, 1, 1.5)
    assert (written.bytes, written.keep) == (5000, False)
    assert store.read(*JOB, 300) == data(300)
    assert store.newest(*JOB) == (written, data(300))
    fields = json.loads(manifest(store, 300).read_text())
    assert {"schema", "stage", "key", "file", "bytes", "sha256", "updates", "attempt"} < set(
        fields
    )
    assert fields["schema"] == 1


def test_nothing_there(store: ArtefactStore, tmp_path: Path) -> None:
    assert store.find(*JOB, 1) is None and store.read(*JOB, 1) is None
    assert store.newest(*JOB) is None and store.lengths(*JOB) == []
    assert store.keep(*JOB, 1) is False and store.sidecar(*JOB, "x") is None
    assert list(tmp_path.iterdir()) == []


def test_newest_up_to_a_length(store: ArtefactStore) -> None:
    fill(store, 100, 200, 300, keep=True)
    for at_most, expected in ((None, 300), (299, 200), (200, 200), (100, 100)):
        found = store.newest(*JOB, at_most=at_most)
        assert found is not None and (found[0].updates, found[1]) == (expected, data(expected))
    assert store.newest(*JOB, at_most=99) is None


def test_two_newest_and_kept_stay(store: ArtefactStore) -> None:
    attempt = fill(store, 0, 100)
    store.write(*JOB, 200, data(200), attempt=attempt, keep=True)
    for updates in (300, 400, 500, 600):
        store.write(*JOB, updates, data(updates), attempt=attempt)
    assert store.lengths(*JOB) == [200, 500, 600]
    assert len(list(store.folder(*JOB).glob("*.pt"))) == 3
    assert not list(store.folder(*JOB).glob("*.fate"))
    kept = store.find(*JOB, 200)
    assert kept is not None and kept.keep


def test_keep_afterwards(store: ArtefactStore) -> None:
    attempt = fill(store, 100, 200)
    assert store.keep(*JOB, 100) and store.keep(*JOB, 100)
    for updates in (300, 400, 500):
        store.write(*JOB, updates, data(updates), attempt=attempt)
    assert store.lengths(*JOB) == [100, 400, 500]
    assert store.read(*JOB, 100) == data(100)
    assert store.keep(*JOB, 200) is False
    kept = store.find(*JOB, 100)
    assert kept is not None and kept.keep
    again = store.write(*JOB, 100, b"anew", attempt=attempt)  # a rewrite keeps the pin
    assert again.keep and store.read(*JOB, 100) == b"anew"


def test_a_shorter_job_of_the_same_key_can_resume(store: ArtefactStore) -> None:
    fill(store, 500, 600)
    fill(store, 100)
    assert store.lengths(*JOB) == [100, 500, 600]
    fill(store, 200, 300)
    assert store.lengths(*JOB) == [200, 300, 500, 600]
    found = store.newest(*JOB, at_most=400)
    assert found is not None and found[0].updates == 300


def test_pruning_counts_only_valid_snapshots(
    store: ArtefactStore, caplog: pytest.LogCaptureFixture
) -> None:
    attempt = fill(store, 100, 200)
    data_file(store, 200).write_bytes(b"rotten")
    store.write(*JOB, 300, data(300), attempt=attempt)
    assert store.lengths(*JOB) == [100, 300]
    assert "000000200" in caplog.text
    assert store.read(*JOB, 100) == data(100)


FAULTS: dict[str, Callable[[Path, Path], object]] = {
    "data cut": lambda d, m: d.write_bytes(d.read_bytes()[:-1]),
    "data empty": lambda d, m: d.write_bytes(b""),
    "data zeros": lambda d, m: d.write_bytes(bytes(d.stat().st_size)),
    "data longer": lambda d, m: d.write_bytes(d.read_bytes() + b"\0"),
    "data gone": lambda d, m: d.unlink(),
    "manifest cut": lambda d, m: m.write_bytes(m.read_bytes()[:-9]),
    "manifest empty": lambda d, m: m.write_bytes(b""),
    "manifest no object": lambda d, m: m.write_bytes(b"[]\n"),
    "manifest unsealed": lambda d, m: m.write_text('{"schema": 1}'),
    "manifest edited": lambda d, m: m.write_text(m.read_text().replace("false", "true")),
    "manifest path": lambda d, m: m.write_bytes(
        sealed({**unsealed(m.read_bytes()), "file": "../x"})
    ),
    "manifest type": lambda d, m: m.write_bytes(
        sealed({**unsealed(m.read_bytes()), "bytes": "1"})
    ),
    "manifest field": lambda d, m: m.write_bytes(sealed({**unsealed(m.read_bytes()), "more": 1})),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_newest_is_set_aside_and_the_previous_used(
    store: ArtefactStore, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    attempt = fill(store, 100, 200)
    FAULTS[fault](data_file(store, 200), manifest(store, 200))
    found = store.newest(*JOB)
    assert found is not None and (found[0].updates, found[1]) == (100, data(100))
    assert store.read(*JOB, 200) is None and store.lengths(*JOB) == [100]
    assert manifest(store, 200).with_name("000000200.json.corrupt").exists()
    assert "is damaged" in caplog.text and "000000200" in caplog.text
    store.write(*JOB, 200, data(200), attempt=attempt)
    assert store.read(*JOB, 200) == data(200)


@pytest.mark.slow
def test_no_flipped_bit_is_accepted(store: ArtefactStore) -> None:
    fill(store, 100, 200)
    good = store.find(*JOB, 200)
    folder = store.folder(*JOB)
    held = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    files = [data_file(store, 200), manifest(store, 200)]
    dice = random.Random(0)
    for turn in range(400):
        path = files[turn % 2]
        broken = bytearray(held[path.name])
        bit = dice.randrange(8 * len(broken))
        broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        found = store.newest(*JOB)
        assert found is not None
        if found[0].updates == 200:  # a flip between two kinds of white space
            assert found == (good, data(200)) and path == files[1]
        else:
            assert found[1] == data(100)
        for name in list(os.listdir(folder)):
            if name.endswith(".corrupt"):
                (folder / name).unlink()
        for name, content in held.items():
            (folder / name).write_bytes(content)


def test_files_swapped_between_jobs_and_lengths(store: ArtefactStore) -> None:
    fill(store, 100, 200)
    fill(store, 100, 200, job=OTHER)
    shutil.copy(manifest(store, 200, OTHER), manifest(store, 200))  # also right in itself
    assert store.find(*JOB, 200) is None
    shutil.copy(manifest(store, 100, OTHER), manifest(store, 200, OTHER))
    assert store.find(*OTHER, 200) is None
    fill(store, 200)
    fill(store, 300, job=OTHER)
    shutil.copy(data_file(store, 300, OTHER), data_file(store, 200))
    found = store.newest(*JOB)
    assert found is not None and found[1] == data(100)


def test_another_schema_is_left_alone(
    store: ArtefactStore, caplog: pytest.LogCaptureFixture
) -> None:
    attempt = fill(store, 100, 200)
    path, its_data = manifest(store, 200), data_file(store, 200)
    path.write_bytes(sealed({**unsealed(path.read_bytes()), "schema": 2}))
    found = store.newest(*JOB)
    assert found is not None and found[0].updates == 100
    assert "schema 2, this version reads 1" in caplog.text
    store.write(*JOB, 300, data(300), attempt=attempt)
    assert path.exists() and its_data.read_bytes() == data(200)


def test_notes(store: ArtefactStore, caplog: pytest.LogCaptureFixture) -> None:
    store.write_sidecar(*JOB, "evaluation-300", {"mean": 1.5, "returns": [1, 2]})
    assert store.sidecar(*JOB, "evaluation-300") == {"mean": 1.5, "returns": [1, 2]}
    store.write_sidecar(*JOB, "evaluation-300", [None])
    assert store.sidecar(*JOB, "evaluation-300") == [None]
    assert store.lengths(*JOB) == []
    path = store.folder(*JOB) / "note-evaluation-300.json"
    path.write_bytes(path.read_bytes().replace(b"null", b"2000"))
    assert store.sidecar(*JOB, "evaluation-300") is None
    assert "note-evaluation-300.json is damaged" in caplog.text
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write_sidecar(*JOB, "x", float("nan"))


@pytest.mark.parametrize("other", [("policy", "b" * 16, "score-1"), (*JOB, "score-2")])
def test_a_note_of_another_job_or_name_is_set_aside(
    store: ArtefactStore, caplog: pytest.LogCaptureFixture, other: tuple[str, str, str]
) -> None:
    for owner, mean in ((other, 55.1), ((*JOB, "score-1"), -49.1)):
        store.write_sidecar(*owner, {"mean": mean})
    stage, key, name = other
    source = store.folder(stage, key) / f"note-{name}.json"
    path = store.folder(*JOB) / "note-score-1.json"
    path.write_bytes(source.read_bytes())
    assert store.sidecar(*JOB, "score-1") is None and not path.exists()
    assert f"is damaged (it is of {stage}/{key}/{name})" in caplog.text
    path.write_bytes(sealed({"note": {"mean": 1.0}}))  # as earlier builds wrote it
    assert store.sidecar(*JOB, "score-1") == {"mean": 1.0}


def test_names_and_numbers_are_checked(store: ArtefactStore, tmp_path: Path) -> None:
    for stage, key in (
        ("../x", "a"),
        ("a", "../x"),
        ("a-b", "c"),
        ("", "c"),
        ("a", ""),
        ("A", "c"),
    ):
        for act in (store.claim, store.lengths, store.newest, store.folder):
            with pytest.raises(ValueError, match="unsafe"):
                act(stage, key)
    for name in ("../x", "a/b", ""):
        with pytest.raises(ValueError, match="unsafe"):
            store.write_sidecar(*JOB, name, 1)
    assert list(tmp_path.iterdir()) == []
    attempt = store.claim(*JOB)
    for updates in (-1, 10**9, True):
        with pytest.raises(ValueError, match="updates must be"):
            store.write(*JOB, updates, b"", attempt=attempt)
    with pytest.raises(ValueError, match="seconds must be finite"):
        store.write(*JOB, 1, b"", attempt=attempt, seconds=float("nan"))
    assert dataclasses.is_dataclass(store.write(*JOB, 0, b"", attempt=attempt))
    assert isinstance(store.find(*JOB, 0), CheckpointInfo) and store.read(*JOB, 0) == b""

"""The store in a bucket: a real S3 server, which refuses what a condition forbids."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from fixtures.s3_server import S3Server
from fixtures.valid_records import record as valid_record

from qipo_ray.errors import StorageError, UserError
from qipo_ray.store import bucket
from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.store.fencing import StaleToken, fenced
from qipo_ray.store.files import names, read_bytes, set_aside, write_bytes, write_new
from qipo_ray.store.lease import (
    Lease,
    LeaseHeld,
    LeaseLost,
    StopAsked,
    ask_to_stop,
    driving,
)
from qipo_ray.store.mirror import Upload, pull, pulled
from qipo_ray.store.records import read_records, write_record
from qipo_ray.store.rung_log import RungLog

pytestmark = pytest.mark.slow


def test_an_object_is_made_once_and_replaced_as_it_was_read(s3_root: Path) -> None:
    path = s3_root / "a.json"
    with pytest.raises(FileNotFoundError, match="s3://bucket/test_an_object"):
        read_bytes(path)
    write_new(path, b"1")
    with pytest.raises(FileExistsError):
        write_new(path, b"2")
    _, version = bucket.read(path)
    later = bucket.replace(path, b"3", version)
    with pytest.raises(bucket.Overtaken, match="another process"):
        bucket.replace(path, b"4", version)
    with pytest.raises(bucket.Overtaken):
        bucket.replace(s3_root / "b.json", b"4", later)
    write_bytes(path, b"5")
    assert read_bytes(path) == b"5" and names(s3_root) == ["a.json"]
    bucket.remove(path)
    bucket.remove(path)
    assert names(s3_root) == [] and not bucket.exists(path)


def test_a_damaged_object_is_set_aside_unless_it_was_replaced(s3_root: Path) -> None:
    path = s3_root / "a.json"
    write_bytes(path, b"new")
    set_aside(path, b"old", "why")
    assert names(s3_root) == ["a.json"]
    set_aside(path, b"new", "why")
    assert names(s3_root) == ["a.json.corrupt"]


def entry(rung: int, attempt: int) -> dict[str, Any]:
    at = "2026-01-01T00:00:00+00:00"
    return {"trial": "0" * 12, "task": "point", "rung": rung, "updates": 10 + rung,
            "value": 1.0, "attempt": attempt, "at": at}  # fmt: skip


def test_the_log_of_a_driver_that_was_overtaken_takes_no_line(s3_root: Path) -> None:
    old, new = RungLog(s3_root / "rungs.jsonl"), RungLog(s3_root / "rungs.jsonl")
    old.fence(1)
    old.append(entry(0, 1))
    assert [line["rung"] for line in new.fence(2)] == [0]
    before = read_bytes(old.path)
    with pytest.raises(bucket.Overtaken):
        old.append(entry(1, 1))
    assert read_bytes(old.path) == before
    new.append(entry(1, 2))
    assert [line["attempt"] for line in new.read()] == [1, 2]
    with pytest.raises(bucket.Overtaken, match="a later driver"):
        RungLog(old.path).fence(1)


def test_one_driver_of_two_and_the_late_writes_of_the_other(s3_root: Path) -> None:
    record = valid_record()
    with driving(s3_root) as lease:
        with pytest.raises(LeaseHeld, match="is driven by"):
            Lease.take(s3_root)
        write_bytes(s3_root / "sweep.yaml", b"mine")
        lease.release()  # as if it had been silent for long
        taker = Lease.take(s3_root)
        assert taker.attempt == 2
        with pytest.raises(LeaseLost):
            lease.beat()
        with pytest.raises(LeaseLost, match="was taken over"):
            write_record(s3_root, record)
        with pytest.raises(LeaseLost):
            write_bytes(s3_root / "sweep.yaml", b"late")
    assert names(s3_root / "records") == [] and read_bytes(s3_root / "sweep.yaml") == b"mine"
    write_record(s3_root, record)
    ask_to_stop(s3_root)
    with pytest.raises(StopAsked):
        taker.beat()


def test_only_the_newest_claim_publishes_snapshots(s3_root: Path) -> None:
    old, new = ArtefactStore(s3_root), ArtefactStore(s3_root)
    first = old.claim("policy", "k")
    for updates in (100, 200, 300):
        old.write("policy", "k", updates, b"%d" % updates, attempt=first, keep=updates == 100)
    assert old.lengths("policy", "k") == [100, 200, 300]
    old.write("policy", "k", 400, b"400", attempt=first)
    assert old.lengths("policy", "k") == [100, 300, 400], "kept, and the two newest"

    second = new.claim("policy", "k")
    with pytest.raises(StaleToken):
        old.write("policy", "k", 500, b"late", attempt=first)
    folder = old.folder("policy", "k")
    with pytest.raises(StaleToken), fenced(folder, second) as staging:
        new.claim("policy", "k")
        write_bytes(folder / "late", b"", staging=staging)
    assert "late" not in names(folder) and new.read("policy", "k", 400) == b"400"
    assert new.keep("policy", "k", 300) and new.sidecar("policy", "k", "n") is None
    new.write_sidecar("policy", "k", "n", {"a": 1})
    assert new.sidecar("policy", "k", "n") == {"a": 1}
    snapshot = new.find("policy", "k", 400)
    assert snapshot is not None
    bucket.write(folder / snapshot.file, b"40O")
    assert new.read("policy", "k", 400) is None, "damage is seen"
    assert new.newest("policy", "k")[0].updates == 300  # type: ignore[index]


def test_copies_follow_the_bucket(s3_root: Path) -> None:
    record = valid_record()
    path = write_record(s3_root, record)
    bucket.write(s3_root / "artefacts/policy-k/000000100-000001-0.pt", b"weights")
    bucket.write(s3_root / "tensorboard/run/events", b"1")
    assert not path.exists(), "what is in the bucket counts"
    uri = Path(bucket.with_uris(str(s3_root)))
    root = pulled(uri)
    assert root == s3_root and read_records(root) == [record]
    assert not list((root / "artefacts").rglob("*.pt"))
    (root / "stale.json").touch()
    os.utime(root / "stale.json", (0, 0))
    pull(root, weights=True)
    assert list((root / "artefacts").rglob("*.pt")) and not (root / "stale.json").exists()
    with pytest.raises(UserError, match="nothing below"):
        pulled(uri / "none")


def test_copies_fit_together_while_a_driver_goes_on(
    s3_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, read = s3_root / "artefacts/policy-k", bucket.read
    bucket.write(folder / "1.pt", b"1")
    bucket.write(folder / "manifest.json", b"1.pt")

    def read_late(path: Path, *patience: float) -> Any:
        if bucket.exists(folder / "1.pt"):  # the driver is faster
            bucket.write(folder / "2.pt", b"2")
            bucket.write(folder / "manifest.json", b"2.pt")
            bucket.remove(folder / "1.pt")
        return read(path, *patience)

    monkeypatch.setattr(bucket, "read", read_late)
    pull(s3_root, weights=True)
    assert sorted(path.name for path in folder.iterdir()) == ["2.pt", "manifest.json"]
    assert (folder / "manifest.json").read_bytes() == b"2.pt"


def test_a_path_travels_as_its_uri(
    s3_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes(s3_root / "a", b"1")
    text = bucket.sent(s3_root)
    assert text.startswith("s3://bucket/") and bucket.sent(tmp_path) == str(tmp_path)
    monkeypatch.setattr(bucket, "SCRATCH", f"{tmp_path}/other/")
    bucket._client.cache_clear()
    root = bucket.arrived(text)
    assert root != s3_root and names(root) == ["a"] and bucket.arrived("/a/b") == Path("/a/b")
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o700

    (tmp_path / "link").symlink_to(tmp_path / "other")
    monkeypatch.setattr(bucket, "SCRATCH", f"{tmp_path}/link/")
    bucket._client.cache_clear()
    with pytest.raises(StorageError, match="is another user's: set TMPDIR"):
        names(bucket.arrived(text))
    bucket._client.cache_clear()


def test_a_key_in_a_uri_is_refused_and_not_repeated() -> None:
    for uri in ("s3://id:secret@bucket/sweeps", "gs://secret@bucket"):
        with pytest.raises(UserError, match="@bucket holds a name or a password") as refused:
            bucket.scratch_of(Path(uri))
        assert "secret" not in str(refused.value)


def test_event_files_of_this_driver_take_the_place_of_those_before(s3_root: Path) -> None:
    folder = s3_root / "tensorboard"
    bucket.write(folder / "a/events.1", b"of a driver before")
    bucket.write(folder / "b/events.1", b"of a run that is not followed now")
    upload = Upload(folder)
    (folder / "a").mkdir(parents=True)
    (folder / "a/events.2").write_bytes(b"1")
    upload.sync()
    assert names(folder / "a") == ["events.1"], "not yet"
    upload.close()
    (folder / "a/events.2").write_bytes(b"12")
    upload.close()
    assert names(folder / "a") == ["events.2"] and read_bytes(folder / "a/events.2") == b"12"
    (folder / "a/events.2").rename(folder / "a/events.3")
    upload.close()
    assert names(folder / "a") == ["events.3"] and names(folder / "b") == ["events.1"]


def test_an_outage_is_waited_out(
    s3_server: S3Server, s3_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            s3_server.start()

    monkeypatch.setattr(bucket.time, "sleep", sleep)
    s3_server.stop()
    write_new(s3_root / "a", b"1")
    assert slept == [0.25, 0.5, 1.0] and read_bytes(s3_root / "a") == b"1"

    s3_server.stop()
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr(bucket.time, "monotonic", lambda: float(next(clock)))
    try:
        with pytest.raises(StorageError, match="^s3://.*/a: no answer for 300 s: check the"):
            read_bytes(s3_root / "a")
    finally:
        s3_server.start()
        bucket._silent_since.clear()


def test_a_write_whose_answer_was_lost_is_taken_for_done(
    s3_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = bucket.address(s3_root / "a")
    real, lost = at.client, []

    class Lossy:
        def put(self, *args: Any, **options: Any) -> Any:
            from obstore.exceptions import GenericError

            answer = real.put(*args, **options)
            if not lost:
                lost.append(1)
                raise GenericError("HTTP error: connection closed")
            return answer

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    monkeypatch.setattr(bucket, "_client", lambda *_: Lossy())
    monkeypatch.setattr(bucket.time, "sleep", lambda seconds: None)
    write_new(s3_root / "a", b"mine")
    lost.clear()
    _, version = bucket.read(s3_root / "a")
    assert bucket.replace(s3_root / "a", b"again", version) == bucket.read(s3_root / "a")[1]
    assert read_bytes(s3_root / "a") == b"again"


@contextmanager
def answering(status: int, code: str) -> Iterator[str]:
    """A server that refuses everything, as storage does."""

    class Refuse(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"<Error><Code>{code}</Code><Message>secret words</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Refuse)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "line"),
    [
        (403, "RequestTimeTooSkewed", "this machine's clock is off"),
        (301, "PermanentRedirect", "lies in another region: set AWS_REGION"),
        (400, "AuthorizationHeaderMalformed", "lies in another region: set AWS_REGION"),
        (403, "InvalidAccessKeyId", r"refused \(InvalidAccessKeyId\): set AWS_ACCESS_KEY_ID"),
        (403, "AccessDenied", r"may not do that \(AccessDenied\): allow to list, get, put"),
        (404, "NoSuchBucket", "there is no bucket s3://bucket: make it"),
        (400, "Strange", r"it is refused \(Strange\)"),
    ],
)
def test_what_storage_refuses_is_one_line(
    s3_root: Path, monkeypatch: pytest.MonkeyPatch, status: int, code: str, line: str
) -> None:
    with answering(status, code) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        bucket._client.cache_clear()
        with pytest.raises(StorageError, match=line) as caught:
            bucket.names(s3_root)
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)
    bucket._client.cache_clear()


def test_missing_credentials_and_a_missing_server_are_one_line(
    s3_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name)
        bucket._client.cache_clear()
        with pytest.raises(StorageError, match="no credentials: set AWS_ACCESS_KEY_ID and"):
            bucket.names(s3_root)
    bucket._client.cache_clear()
    for endpoint, shown in (
        ("id:secret@h:9000", "h:9000"),
        ("http://a b", "http://a b"),
        ("", ""),
    ):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)  # the library would panic
        with pytest.raises(StorageError, match=f"^AWS_ENDPOINT_URL={shown}: expected https://"):
            bucket.names(s3_root)
    monkeypatch.undo()
    bucket._client.cache_clear()

"""Downloads from a server in a thread that cuts, stalls, redirects and lies."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from fixtures.download_faults import (
    Fault,
    answer,
    cut,
    drip,
    drip_head,
    endless,
    endless_redirect,
    no_ranges,
    redirect,
    stall,
)
from fixtures.fault_counts import CountFaults, scaled

from qipo_ray.data import http
from qipo_ray.data.catalogue import Entry
from qipo_ray.data.download import OVERLAP, DownloadLimits, fetch
from qipo_ray.errors import UserError

CONTENT = random.Random(0).randbytes(600_000)
QUICK = DownloadLimits(seconds=30, pause_s=0)


@pytest.fixture
def published(server, tmp_path: Path) -> Entry:
    server.content = CONTENT
    digest = hashlib.sha256(server.content).hexdigest()
    target = tmp_path / "datasets" / "file.hdf5"
    return Entry("task-v0", f"{server.origin}/file.hdf5", target, len(server.content), digest)


@pytest.fixture
def get(server) -> Callable[..., tuple[Path, str]]:
    def get(published: Entry, **settings) -> tuple[Path, str]:
        return fetch(published, **{"limits": QUICK, "origins": [server.origin], **settings})

    return get


def left(published: Entry) -> list[str]:
    folder = published.target.parent
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def refusal(get, published: Entry, **settings) -> str:
    with pytest.raises(UserError) as caught:
        get(published, **settings)
    line = str(caught.value)
    assert line.isprintable() and len(line) < 500
    assert not published.target.exists()
    return line


def good(get, published: Entry, **settings) -> None:
    path, digest = get(published, **settings)
    assert (path, digest) == (published.target, hashlib.sha256(CONTENT).hexdigest())
    trusted = [] if published.sha256 else ["file.hdf5.sha256"]
    assert path.read_bytes() == CONTENT and left(published) == ["file.hdf5", *trusted]


def test_a_file_comes_whole_with_progress(server, published: Entry, get) -> None:
    reports: list[tuple[int, int | None]] = []
    good(get, published, report=lambda done, total: reports.append((done, total)))
    assert reports[-1] == (len(CONTENT), len(CONTENT)) and sorted(reports) == reports
    assert stat.S_IMODE(published.target.stat().st_mode) == 0o644
    good(get, published)
    assert server.asked == [("/file.hdf5", None)]  # it was there


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_cuts_are_gone_on_from(size: int | None, server, published: Entry, get) -> None:
    server.faults = [cut(200_000), cut(0), cut(OVERLAP + 100_000), answer(503), answer(429)]
    good(get, replace(published, bytes=size))
    starts = [int(asked.split("=")[1][:-1]) for _, asked in server.asked if asked]
    assert starts == [200_000 - OVERLAP] * 2 + [300_000 - OVERLAP] * 3


def test_a_part_of_an_earlier_call_is_gone_on_from(server, published: Entry, get) -> None:
    server.always = cut(OVERLAP)  # brings the same bytes again and again
    line = refusal(get, published)
    assert "65,536 bytes are kept, the same command goes on from there" in line
    assert left(published) == [".file.hdf5.part"]
    server.always = None
    good(get, published)


def test_a_complete_part_is_not_asked_for_again(server, published: Entry, get) -> None:
    published.target.parent.mkdir()
    (published.target.parent / ".file.hdf5.part").write_bytes(CONTENT)
    good(get, published)
    assert server.asked == []


def test_a_server_without_ranges(server, published: Entry, get) -> None:
    server.faults = [cut(200_000), no_ranges]
    good(get, published)


@pytest.mark.slow
def test_stalls_are_ended(server, published: Entry, get, monkeypatch) -> None:
    monkeypatch.setattr(http, "STALL_S", 0.2)
    server.faults = [stall, stall]
    good(get, published)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [drip, drip_head, stall], ids=lambda fault: fault.__name__)
def test_time_is_limited(fault: Fault, server, published: Entry, get) -> None:
    server.always, start = fault, time.monotonic()
    line = refusal(get, published, limits=DownloadLimits(seconds=0.5, pause_s=0))
    assert "took longer than 0.5 s" in line
    assert time.monotonic() - start < 5


def test_a_file_that_changes_on_the_server_is_begun_anew(server, published: Entry, get) -> None:
    server.content = bytes(len(CONTENT))
    server.faults = [cut(300_000)]
    server.faults.append(lambda handler: (setattr(server, "content", CONTENT), handler.whole()))
    good(get, published)
    assert [asked for _, asked in server.asked] == [None, f"bytes={300_000 - OVERLAP}-", None]


def test_a_file_that_shrinks_is_begun_anew(server, published: Entry, get) -> None:
    published.target.parent.mkdir()
    (published.target.parent / ".file.hdf5.part").write_bytes(CONTENT + bytes(100_000))
    good(get, replace(published, bytes=None))


def test_a_file_that_always_changes_is_given_up(server, published: Entry, get) -> None:
    def other(handler) -> None:
        server.content = os.urandom(len(CONTENT))
        cut(300_000)(handler)

    server.always = other
    assert "changes while it is read" in refusal(get, published)


LIES = {
    "another size": (answer(200, b"<html>log in</html>"), "has 19 bytes, the published file has"),
    "endless": (endless, "sends more than the published 600,000 bytes"),
    "missing": (answer(404, b"no"), "HTTP 404 Not Found, no file"),
    "forbidden": (answer(403), "HTTP 403"),
    "part that was not asked for": (answer(206, b"x", Content_Range="bytes 5-5/9"), "HTTP 206"),
    "packed": (answer(200, b"x", Content_Encoding="gzip"), "packs its answer"),
    "trouble without end": (answer(500), "in trouble (HTTP 500)"),
    "less than announced": (answer(200, b"x", Content_Length=len(CONTENT)), "cut off"),
    "no HTTP": (lambda handler: handler.wfile.write(b"\0" * 1000), "cannot be reached"),
    "terminal codes": (
        lambda handler: handler.wfile.write(b"HTTP/1.1 404 \x1b[2J\x1b]0;owned\x07\r\n\r\n"),
        "HTTP 404",
    ),
    "many redirects": (redirect("/file.hdf5"), "more than 5 redirects"),
    "redirects without end": (endless_redirect, "more than 5 redirects"),
    "redirect to nowhere": (answer(302), "more than 5 redirects"),
    "redirect to a file": (redirect("file:///etc/passwd"), "not among the hosts"),
    "redirect to ftp": (redirect("ftp://127.0.0.1/x"), "not among the hosts"),
    "redirect to another host": (redirect("//example.invalid/x"), "not among the hosts"),
    "redirect to https": (redirect("https://127.0.0.1/x"), "not among the hosts"),
    "redirect to half an address": (redirect("http://[/"), "not among the hosts"),
}


@pytest.mark.parametrize("name", LIES)
def test_lies_are_one_line(name: str, server, published: Entry, get) -> None:
    server.always, message = LIES[name]
    assert message in refusal(get, published)
    assert set(left(published)) <= {".file.hdf5.part"}


def test_redirects_to_other_origins_are_not_asked(server, published: Entry, get) -> None:
    for location in (
        f"http://localhost:{server.server_port}/x",
        f"http://user@127.0.0.1:{server.server_port}/x",
        f"http://127.0.0.1:{server.server_port + 1}/x",
    ):
        server.faults, server.asked = [redirect(location)], []
        assert "not among the hosts that data may come from" in refusal(get, published)
        assert server.asked == [("/file.hdf5", None)]
    server.faults = [redirect("elsewhere/file", 301), redirect(f"{server.origin}/there?x=1", 307)]
    good(get, published)
    assert server.asked[-1] == ("/there?x=1", None)


def test_another_content_is_removed(server, published: Entry, get) -> None:
    server.content = bytes(len(CONTENT))
    line = refusal(get, published)
    assert hashlib.sha256(server.content).hexdigest() in line and str(published.sha256) in line
    assert left(published) == []
    server.content = CONTENT
    good(get, published)


def test_a_file_of_unknown_size_is_limited(server, published: Entry, get) -> None:
    unknown = replace(published, bytes=None)
    limits = replace(QUICK, bytes=500_000)
    line = refusal(get, unknown, limits=limits)
    assert "sends more than the limit of 500,000 bytes" in line and left(unknown) == []
    server.always = endless
    assert "the limit of 500,000" in refusal(get, unknown, limits=limits)


def test_without_a_known_hash_it_is_said_and_waits_for_trust(
    server, published: Entry, get
) -> None:
    unknown = replace(published, bytes=None, sha256=None)
    line = refusal(get, unknown)
    assert f"SHA-256 {published.sha256}" in line and "qipo-ray data get task-v0 --trust" in line
    good(get, unknown, trust=True)
    assert server.asked[-1] == ("/file.hdf5", f"bytes={len(CONTENT) - OVERLAP}-")


def test_what_was_trusted_once_is_held_to(server, published: Entry, get) -> None:
    """Here and in later downloads; the same file then needs no trust any more."""
    unknown = replace(published, bytes=None, sha256=None)
    good(get, unknown, trust=True)
    pin = published.target.with_name("file.hdf5.sha256")
    assert pin.read_text() == f"{published.sha256}  file.hdf5\n"
    published.target.write_bytes(b"another")
    with pytest.raises(UserError, match="is there, but its .* trusted before, is .* move it away"):
        get(unknown, trust=True)
    published.target.unlink()
    good(get, unknown)
    published.target.unlink()
    server.content = CONTENT[::-1]
    line = refusal(get, unknown, trust=True)
    assert "that of file.hdf5.sha256, trusted before, is" in line and "it was removed" in line
    assert left(published) == [pin.name]


def test_another_file_in_its_place_is_refused_and_kept(server, published: Entry, get) -> None:
    published.target.parent.mkdir()
    published.target.write_bytes(b"mine")
    with pytest.raises(UserError, match="is there, but its SHA-256 is .* move it away first"):
        get(published)
    assert published.target.read_bytes() == b"mine" and left(published) == ["file.hdf5"]
    assert server.asked == []


def test_two_at_once_download_once(server, published: Entry, get) -> None:
    held, waits, results = threading.Event(), threading.Event(), []

    def slow(handler) -> None:
        first = handler.start()
        handler.wfile.write(server.content[first : first + 100])
        held.set()
        waits.wait(30)
        handler.wfile.write(server.content[first + 100 :])

    server.faults = [slow]
    first = threading.Thread(target=lambda: results.append(get(published)))
    first.start()
    assert held.wait(30)
    good(get, published, waiting=waits.set)
    first.join()
    assert waits.is_set() and len(results) == 1 and len(server.asked) == 1


def test_proxies_of_the_environment_are_not_used(
    server, published: Entry, get, monkeypatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    good(get, published)


def test_a_full_disk_and_a_folder_that_is_none(server, published: Entry, get, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    assert "0 MB left" in refusal(get, published) and left(published) == []
    monkeypatch.undo()
    published.target.parent.rmdir()
    published.target.parent.touch()
    with pytest.raises(UserError, match="datasets: File exists"):
        get(published)


def test_a_part_that_is_a_link_is_not_followed(
    server, published: Entry, get, tmp_path: Path
) -> None:
    published.target.parent.mkdir()
    (published.target.parent / ".file.hdf5.part").symlink_to(tmp_path / "precious")
    assert "part" in refusal(get, published)
    assert not (tmp_path / "precious").exists()


@pytest.mark.faults
def test_faults_in_any_order_end_with_the_file_or_one_line(
    server, published: Entry, get, count_faults: CountFaults
) -> None:
    """Whatever stands under the file's name is the published content."""
    kinds: list[Fault] = [
        cut(0), cut(100_000), cut(599_999), answer(500), answer(503), answer(429), answer(404),
        answer(200, b"<html>"), answer(206, b"x"), redirect("//example.invalid/x"), no_ranges,
        answer(200, CONTENT[::-1]), answer(200, b"x", Content_Length=len(CONTENT)),
        lambda handler: handler.wfile.write(b"\0" * 100),
    ]  # fmt: skip
    dice, total = random.Random(2), scaled(150)
    while (caused := len(server.asked)) < total:
        server.faults = dice.choices(kinds, k=dice.randint(1, 4))
        try:
            get(published)
        except UserError as error:
            assert str(error).isprintable() and len(str(error)) < 500
            assert not published.target.exists()
        else:
            assert published.target.read_bytes() == CONTENT
            published.target.unlink()
        assert len(server.asked) > caused
    server.faults = []
    good(get, published)
    count_faults("download that fails", total)


CALL = """
import sys
from pathlib import Path
from qipo_ray.data.catalogue import Entry
from qipo_ray.data.download import DownloadLimits, fetch
origin, target, size, digest = sys.argv[1:]
entry = Entry("task-v0", f"{origin}/file.hdf5", Path(target), int(size), digest)
fetch(entry, limits=DownloadLimits(pause_s=0), origins=[origin])
"""


@pytest.mark.faults
def test_kills_in_the_middle_end_with_one_file(
    server, published: Entry, get, count_faults: CountFaults
) -> None:
    """Each process is killed while the server is sending; no byte is trusted, none is lost."""
    reached = threading.Event()

    def slowly(handler) -> None:
        first = handler.start()
        end = first + OVERLAP + rng.randrange(12_000)
        handler.wfile.write(server.content[first:end])
        server.released.wait(rng.random() / 50)  # before, between or after the client's writes
        reached.set()
        handler.wfile.write(server.content[end : end + 1000])
        server.released.wait()

    rng = random.Random(1)
    server.always = slowly
    command = [sys.executable, "-c", CALL, server.origin, str(published.target)]
    command += [str(published.bytes), str(published.sha256)]
    for _ in range(scaled(50)):
        reached.clear()
        process = subprocess.Popen(command)
        assert reached.wait(30)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert left(published) in ([], [".file.hdf5.part"])
    assert (published.target.parent / ".file.hdf5.part").stat().st_size > OVERLAP
    server.always = None
    assert subprocess.run(command, check=False).returncode == 0
    good(get, published)
    count_faults("download that fails", scaled(50))

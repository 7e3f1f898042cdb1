"""The audit of pinned packages: counted, loud where nothing was audited; a planted pin is seen."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import audit
import pytest

PLANTED = {
    "id": "PYSEC-2021-108",
    "summary": "planted",
    "modified": "2021-06-29T00:00:00Z",
    "published": "2021-06-29T00:00:00Z",
    "affected": [
        {
            "package": {"name": "urllib3", "ecosystem": "PyPI", "purl": "pkg:pypi/urllib3"},
            "ranges": [
                {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.26.5"}]}
            ],
            "versions": ["1.26.4"],
        }
    ],
}
SOUND = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "not found"}
VULNERABLE = SOUND | {"vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([SOUND, SOUND], 0, "audited 2 of 2"),
        ([], 1, "NOTHING WAS AUDITED"),
        ([SKIPPED, SKIPPED], 1, "NOTHING WAS AUDITED"),
        ([SOUND, SKIPPED], 1, "NOT AUDITED: b"),
        ([SOUND, VULNERABLE], 1, "VULNERABLE a 1: PYSEC-1, mended in 2"),
    ],
)
def test_only_what_was_audited_counts(
    packages: list, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.report(packages, ["a==1", "b==2"], "refused") == code
    assert said in capsys.readouterr().out


PROGRAM = shutil.which("pip-audit", path=os.environ.get("QIPO_AUDIT", str(audit.BESIDE.parent)))


@pytest.fixture
def service() -> Iterator[str]:
    """An advisory service on this machine, which knows one vulnerability of one version."""

    class Advisories(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = (asked["package"]["name"], asked["version"]) == ("urllib3", "1.26.4")
            body = json.dumps({"vulns": [PLANTED]} if known else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Advisories)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    server.server_close()


@pytest.mark.slow
@pytest.mark.skipif(
    PROGRAM is None, reason="needs pip-audit: `make audit`, or its folder in QIPO_AUDIT"
)
def test_a_planted_pin_is_reported_and_silence_fails(
    service: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert PROGRAM is not None
    pins = tmp_path / "pins.txt"
    here = [
        str(pins),
        "--vulnerability-service=osv",
        f"--osv-url={service}",
        f"--cache-dir={tmp_path}/c",
    ]
    pins.write_text("urllib3==1.26.4\nattrs==25.4.0\n")
    assert audit.main(here, PROGRAM) == 1
    said = capsys.readouterr().out
    assert "VULNERABLE urllib3 1.26.4: PYSEC-2021-108, mended in 1.26.5" in said
    assert "audited 2 of 2 pinned packages" in said
    pins.write_text("urllib3==2.6.3\nattrs==25.4.0\n")
    assert audit.main(here, PROGRAM) == 0
    gone = [part.replace(service, "http://127.0.0.1:1/v1/query") for part in here]
    assert audit.main(gone, PROGRAM) == 1
    assert "NOTHING WAS AUDITED" in capsys.readouterr().out


def test_each_pin_has_its_hashes() -> None:
    """So that `pip install --require-hashes` takes the tested set; `make lock` writes them."""
    lock = audit.PINS.with_name("constraints-hashes.txt").read_text().replace("\\\n", " ")
    hashes = {}
    for line in lock.splitlines():
        pin, *found = re.split(r"\s+--hash=", line.strip())
        if pin and not pin.startswith("#"):
            hashes[pin.partition(";")[0].strip().lower()] = found
    pins = {
        line.partition(";")[0].strip().lower()
        for line in audit.PINS.read_text().splitlines()
        if line.strip() and not line.startswith("#")
    }
    named = {canonical(pin) for pin in pins}
    assert {canonical(pin) for pin in hashes} == named
    sound = re.compile(r"sha256:[0-9a-f]{64}")
    assert all(found and all(map(sound.fullmatch, found)) for found in hashes.values())


def canonical(pin: str) -> str:
    return re.sub(r"[-_.]+", "-", pin.partition("==")[0]) + "==" + pin.partition("==")[2]

"""Tables on a terminal that is not UTF-8: whole, with plain signs, exit code 0."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from qipo_ray.cli import output
from qipo_ray.cli.main import main
from qipo_ray.cli.plain_signs import NAME, write_plainly
from qipo_ray.store.bucket import SCRATCH


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
def test_what_an_encoding_lacks_is_written_plainly(encoding: str) -> None:
    """A table with its line, a dash, and a name that only the handler's ``?`` can stand for."""
    cells = "[['point \u2013 \u2265 1', '3 \u00b1 1'], ['\u6f22', '']]"
    line = (
        "from qipo_ray.cli.main import main; from qipo_ray.cli import output as out; import sys;"
        f"out.print_rows(['task', 'score'], {cells}, [False, True]);"
        "sys.exit(main(['--version']))"
    )
    code = f"from qipo_ray.cli.plain_signs import write_plainly; write_plainly(); {line}"
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=False
    )
    assert run.returncode == 0, run.stderr
    text = run.stdout.decode(encoding)
    assert "point - >= 1" in text.replace("\u2013", "-") and "?" in text and "----" in text


def test_signs_that_steer_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    """In results, remarks, errors and lines of the log; line breaks and accents stay."""
    steering = "\x1b[2J\x1b]0;owned\x07\u202e\x9b\r"
    write_plainly()
    output.write(f"é\t{steering}\nβ")
    output.remark(steering)
    assert main(["best", f"nowhere{steering}"]) == 2
    assert logging.lastResort is not None
    logging.lastResort.emit(logging.LogRecord("x", 30, "", 0, "%s", (steering,), None))
    logging.lastResort.emit(logging.LogRecord("x", 30, "", 0, f"{SCRATCH}s3/b/a", (), None))
    out, err = capsys.readouterr()
    assert err.endswith("\ns3://b/a\n")
    shown = r"\x1b[2J\x1b]0;owned\x07\u202e\x9b\r"
    assert out == f"é\t{shown}\nβ\n"
    assert err.count(r"\x1b[2J") == 3 and not set(steering) & set(err) - set("[2J]0;owned")


def test_a_stream_that_was_told_otherwise_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    told = io.TextIOWrapper(io.BytesIO(), "ascii", errors="ignore")
    strict = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", told)
    monkeypatch.setattr(sys, "stderr", strict)
    write_plainly()
    assert (told.errors, strict.errors) == ("ignore", NAME)

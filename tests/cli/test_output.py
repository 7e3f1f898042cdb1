"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import sys

import pytest

from qipo_ray.cli import output as out


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_a_bar_shows_the_time_left_and_what_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with out.live("training") as live:
        live.update(0.5, 61.4, "seed 0 critic")
        live.line("seed 0 behaviour: done")
    printed = screen.getvalue()
    assert "seed 0 behaviour: done\n" in printed
    for text in ("training", "50%", "ETA 1:01", "seed 0 critic"):
        assert text in printed


def test_elsewhere_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with out.live("training") as live:
        live.update(0.1, None, "too soon")
        monkeypatch.setattr(live, "EVERY_S", 0.0)
        live.update(0.25, None, "seed 0 critic")
        live.update(0.5, 61.4, "seed 0 critic")
        live.line("seed 0 critic: done")
    assert capsys.readouterr().err.splitlines() == [
        "training: 25 %, no ETA yet, seed 0 critic",
        "training: 50 %, ETA 1:01, seed 0 critic",
        "seed 0 critic: done",
    ]


def test_a_document_ends_with_one_line_break(capsys: pytest.CaptureFixture[str]) -> None:
    out.write("a")
    out.write("b\n")
    out.remark("note")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("a\nb\n", "note\n")


def test_progress_tells_the_time_left_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(out.Live, "EVERY_S", 0.0)
    with out.progress("generating hopper-medium") as report:
        report(0, 2000)
        report(2000, 2000)
    assert capsys.readouterr().err.splitlines() == [
        "generating hopper-medium: 0 %, no ETA yet, 0 of 2,000",
        "generating hopper-medium: 100 %, ETA 0:00, 2,000 of 2,000",
    ]

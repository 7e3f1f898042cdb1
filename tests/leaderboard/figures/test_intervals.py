from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qipo_ray.leaderboard import from_records
from qipo_ray.leaderboard.figures.drawing import ReportFigure
from qipo_ray.leaderboard.figures.intervals import intervals

Build = Callable[..., dict[str, Any]]


def test_what_the_interval_shows_is_in_the_records(figures: dict[str, ReportFigure]) -> None:
    (panel,) = figures["intervals"].figure.axes
    labels = [tick.get_text().replace("\xa0", " ") for tick in panel.get_yticklabels()]
    assert labels[-2:] == ["QIPO-OT, search, best (3 seeds)", "QIPO-Diff, search, best (3 seeds)"]
    assert {text.get_text() for text in panel.texts} >= {"60.0", "40.0", "5.0"}


def test_long_names_that_differ_in_the_middle_read_apart(make_record: Build) -> None:
    names = [f"a long name with {middle} in the middle of it" for middle in ("raw", "standard")]
    records = [make_record(1.0, name=name, beta=float(i)) for i, name in enumerate(names)]
    (panel,) = intervals(from_records(records).rows, {}).figure.axes
    ticks = [tick.get_text() for tick in panel.get_yticklabels()]
    for name, tick in zip(names, ticks[-2:], strict=True):
        assert " ".join(tick.split()) == f"QIPO-OT, {name} (1 seed)"
        assert tick.count("\n") == 1


def test_names_too_long_for_a_picture_keep_the_hash_that_tells_them_apart(
    make_record: Build,
) -> None:
    records = [make_record(1.0, name="a long name " * 6, beta=float(i)) for i in range(2)]
    (panel,) = intervals(from_records(records).rows, {}).figure.axes
    ticks = {tick.get_text() for tick in panel.get_yticklabels()}
    assert len([tick for tick in ticks if tick.startswith("QIPO-OT")]) == 2

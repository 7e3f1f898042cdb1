"""Every picture is drawn from records, as SVG and PNG, and shows the numbers of the records."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qipo_ray.leaderboard import from_records
from qipo_ray.leaderboard.figures import ReportFigure, gallery
from qipo_ray.leaderboard.figures.curves import points
from qipo_ray.leaderboard.figures.drawing import INK, line_styles, short_label
from qipo_ray.leaderboard.figures.intervals import intervals
from qipo_ray.leaderboard.figures.pareto import pareto_front, pareto_points
from qipo_ray.leaderboard.figures.series import series_of

Build = Callable[..., dict[str, Any]]
SPACE: dict[str, Any] = {"policy.beta": {}, "behaviour.path": {}}
KINDS = {"intervals", "profile", "curves", "pareto", "budget", "importance", "slices", "parallel"}


@pytest.fixture(scope="module")
def pictures(sweep_records: list[dict[str, Any]]) -> dict[str, ReportFigure]:
    groups = gallery(sweep_records, from_records(sweep_records).rows, SPACE)
    return {one.name.split("-")[1]: one for group in groups for one in group.figures}


@pytest.mark.slow
def test_a_sweep_gives_every_kind(pictures: dict[str, ReportFigure]) -> None:
    assert set(pictures) == KINDS


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_svg_and_png_are_whole(pictures: dict[str, ReportFigure], kind: str) -> None:
    picture = pictures[kind]
    element = picture.inline()  # of the whole SVG; drawing takes its time
    root = ElementTree.fromstring(element)
    assert root.tag.endswith("svg")
    png = picture.png()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    assert width == 1200 and 100 < height < 3000
    assert INK not in element and "var(--ink)" in element
    identities = [e.get("id") or "" for e in root.iter()]
    assert all(one.startswith(f"{picture.name}-") for one in identities if one)


@pytest.mark.slow
def test_what_the_interval_shows_is_in_the_records(pictures: dict[str, ReportFigure]) -> None:
    (panel,) = pictures["intervals"].figure.axes
    words = [tick.get_text().replace("\xa0", " ") for tick in panel.get_yticklabels()]
    assert words[-2:] == ["QIPO-OT, search, best (3 seeds)", "QIPO-Diff, search, best (3 seeds)"]
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


def test_curves_start_with_cloning_and_have_a_band(pictures: dict[str, ReportFigure]) -> None:
    (panel,) = pictures["curves"].figure.axes
    (line,) = [one for one in panel.lines if one.get_label() == "QIPO-OT, search, best"]
    assert np.asarray(line.get_xdata()).tolist() == [0, 1000, 3000]
    assert np.asarray(line.get_ydata()).tolist() == [10.0, 55.0, 60.0]
    assert len(panel.collections) == 2


def test_the_budget_ends_at_the_best_trial(pictures: dict[str, ReportFigure]) -> None:
    (panel,) = pictures["budget"].figure.axes
    curve, confirmed = panel.lines
    assert np.asarray(curve.get_xdata())[-1] == 9 * 40
    assert np.asarray(curve.get_ydata())[-1] == 80.0
    assert np.asarray(confirmed.get_ydata())[0] == 60.0


def test_the_front_is_what_nobody_beats(sweep_records: list[dict[str, Any]]) -> None:
    found = pareto_points(series_of(sweep_records))
    assert [point.name for point in pareto_front(found)] == ["QIPO-OT, search, best"]
    assert {point.device_s for point in found} == {60.0}


def test_sources_share_no_picture(make_record: Build) -> None:
    records = [
        make_record(
            last, seed=seed, source=source, sha256="ab"[source == "d4rl"] * 64, sweep=source
        )
        for source in ("d4rl", "generated")
        for seed, last in enumerate((10.0, 30.0))
    ]
    groups = gallery(records, from_records(records).rows, {})
    assert [group.title.split(",")[0] for group in groups] == [
        "Data source d4rl", "Data source generated",
    ]  # fmt: skip
    for group, other in zip(groups, ("generated", "d4rl"), strict=True):
        assert group.figures
        assert all(f"({other})" not in picture.svg() for picture in group.figures)


def test_a_repeated_seed_counts_once(make_record: Build) -> None:
    records = [
        make_record(10.0), make_record(20.0, sweep="again"), make_record(40.0, seed=1),
    ]  # fmt: skip
    (one,) = series_of(records)
    assert one.scores == (15.0, 40.0)
    assert points(one) == {0: [10.0, 10.0, 10.0]}


def test_configurations_of_one_name_get_their_hash(make_record: Build) -> None:
    found = series_of([make_record(10.0), make_record(20.0, beta=9.0)])
    assert len({one.name for one in found}) == 2
    assert all(one.name.startswith("QIPO-OT, ") for one in found)


@pytest.mark.slow
def test_any_name_may_stand_in_a_picture(make_record: Build) -> None:
    names = ["$\\frac{", "<script>alert(1)</script>", "\ufffe\x7f", "猫 & 🐈", "a" * 200, "_x"]
    records = [
        make_record(10.0 * i + seed, seed=seed, name=name, beta=float(i))
        for i, name in enumerate(names)
        for seed in (0, 1)
    ]
    for group in gallery(records, from_records(records).rows, {}):
        for picture in group.figures:
            element = picture.inline()
            words = "".join(ElementTree.fromstring(element).itertext())
            assert "<script>alert(1)</script>" in words and "$\\frac{" in words
            assert "<script" not in element
            picture.png()


def test_nothing_gives_no_picture(make_record: Build) -> None:
    assert gallery([make_record(None, state="failed")], [], SPACE) == []


@pytest.mark.slow
def test_many_configurations_have_room(make_records: Build) -> None:
    records = make_records([f"task-{i}" for i in range(14)], 20, 2)
    group = gallery(records, from_records(records).rows, {})[0]
    by_name = {picture.name.split("-")[1]: picture for picture in group.figures}
    assert len(by_name["intervals"].figure.axes) == 12
    assert "no room" in by_name["intervals"].caption
    assert by_name["intervals"].figure.get_size_inches()[1] < 100


def test_looks_differ_in_more_than_colour() -> None:
    found = line_styles([str(i) for i in range(30)])
    assert len(set(found.values())) == 30
    assert len({one.colour for one in line_styles(list("abcdef")).values()}) == 6


def test_labels_are_one_line_and_short() -> None:
    assert short_label("a\n b\x00") == "a b\ufffd"
    assert len(short_label("x" * 300)) == 48

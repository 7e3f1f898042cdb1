"""Every figure is drawn from records, as SVG and PNG, and shows the numbers of the records."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import pytest

from qipo_ray.leaderboard import from_records
from qipo_ray.leaderboard.figures.drawing import INK, ReportFigure
from qipo_ray.leaderboard.figures.gallery import gallery

Build = Callable[..., dict[str, Any]]
KINDS = {"intervals", "profile", "curves", "pareto", "budget", "importance", "slices", "parallel"}


@pytest.mark.slow
def test_a_sweep_gives_every_kind(figures: dict[str, ReportFigure]) -> None:
    assert set(figures) == KINDS


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_svg_and_png_are_whole(figures: dict[str, ReportFigure], kind: str) -> None:
    figure = figures[kind]
    element = figure.inline()  # of the whole SVG; drawing takes its time
    root = ElementTree.fromstring(element)
    assert root.tag.endswith("svg")
    png = figure.png()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    assert width == 1200 and 100 < height < 3000
    assert INK not in element and "var(--ink)" in element
    identities = [e.get("id") or "" for e in root.iter()]
    assert all(name.startswith(f"{figure.name}-") for name in identities if name)


@pytest.mark.slow
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
        assert all(f"({other})" not in figure.svg for figure in group.figures)


@pytest.mark.slow
def test_any_name_may_stand_in_a_picture(make_record: Build) -> None:
    names = ["$\\frac{", "<script>alert(1)</script>", "\ufffe\x7f", "猫 & 🐈", "a" * 200, "_x"]
    records = [
        make_record(10.0 * i + seed, seed=seed, name=name, beta=float(i))
        for i, name in enumerate(names)
        for seed in (0, 1)
    ]
    for group in gallery(records, from_records(records).rows, {}):
        for figure in group.figures:
            element = figure.inline()
            text = "".join(ElementTree.fromstring(element).itertext())
            assert "<script>alert(1)</script>" in text and "$\\frac{" in text
            assert "<script" not in element
            figure.png()


def test_nothing_gives_no_picture(make_record: Build) -> None:
    assert gallery([make_record(None, state="failed")], [], {}) == []


@pytest.mark.slow
def test_many_configurations_have_room(make_records: Build) -> None:
    records = make_records([f"task-{i}" for i in range(14)], 20, 2)
    group = gallery(records, from_records(records).rows, {})[0]
    by_kind = {figure.name.split("-")[1]: figure for figure in group.figures}
    assert len(by_kind["intervals"].figure.axes) == 12
    assert "no room" in by_kind["intervals"].caption
    assert by_kind["intervals"].figure.get_size_inches()[1] < 100


def test_searches_without_room_are_named(make_record: Build) -> None:
    records = [make_record(1.0, purpose="search", task=f"task-{i}", beta=i) for i in range(8)]
    for record in records:
        record["scores"] = [record["final"]["last"]]
    groups = gallery(records, [], {"policy.beta": {}})
    assert [group.title for group in groups] == ["Further searches"]  # one trial draws nothing
    assert "Without: task-6 (generated), task-7 (generated)." in groups[0].note

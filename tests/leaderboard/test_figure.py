"""The picture is a PNG with a panel for each task, whatever the rows lack."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from qipo_ray.leaderboard import from_records
from qipo_ray.leaderboard.figure import figure


def size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_a_picture_grows_with_its_rows(make_record: Callable[..., dict[str, Any]]) -> None:
    one = [make_record(40.0 + seed, seed=seed, name="search, best") for seed in range(3)]
    more = [*one, make_record(30.0, path="vp"), make_record(10.0, task="point", cloning=None)]
    small, large = (size(figure(from_records(some).rows)) for some in (one, more))
    assert small[0] == large[0] and large[1] > small[1]

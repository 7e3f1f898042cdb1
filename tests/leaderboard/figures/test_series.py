from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qipo_ray.leaderboard.figures.series import series_of

Build = Callable[..., dict[str, Any]]


def test_a_repeated_seed_counts_once(make_record: Build) -> None:
    records = [make_record(10.0), make_record(20.0, sweep="again"), make_record(40.0, seed=1)]
    (series,) = series_of(records)
    assert series.scores == (15.0, 40.0)
    assert (series.source, series.mean_of("cost", "device_s")) == ("generated", 1.0)
    assert series.mean_of("final", "action_latency_ms") is None


def test_configurations_of_one_name_get_their_hash(make_record: Build) -> None:
    series = series_of([make_record(10.0), make_record(20.0, beta=9.0)])
    assert len({config.name for config in series}) == 2
    assert all(config.name.startswith("QIPO-OT, ") for config in series)

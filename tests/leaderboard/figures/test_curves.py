from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qipo_ray.leaderboard.figures.curves import points
from qipo_ray.leaderboard.figures.drawing import ReportFigure
from qipo_ray.leaderboard.figures.series import series_of

Build = Callable[..., dict[str, Any]]


def test_curves_start_with_cloning_and_have_a_band(figures: dict[str, ReportFigure]) -> None:
    (panel,) = figures["curves"].figure.axes
    (line,) = [curve for curve in panel.lines if curve.get_label() == "QIPO-OT, search, best"]
    assert np.asarray(line.get_xdata()).tolist() == [0, 1000, 3000]
    assert np.asarray(line.get_ydata()).tolist() == [10.0, 55.0, 60.0]
    assert len(panel.collections) == 2


def test_a_repeated_seed_adds_its_points(make_record: Build) -> None:
    records = [make_record(10.0), make_record(20.0, sweep="again"), make_record(40.0, seed=1)]
    (series,) = series_of(records)
    assert points(series) == {0: [10.0, 10.0, 10.0]}

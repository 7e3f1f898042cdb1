from __future__ import annotations

import numpy as np

from qipo_ray.leaderboard.figures.drawing import ReportFigure


def test_the_budget_ends_at_the_best_trial(figures: dict[str, ReportFigure]) -> None:
    (panel,) = figures["budget"].figure.axes
    curve, confirmed = panel.lines
    assert np.asarray(curve.get_xdata())[-1] == 9 * 40
    assert np.asarray(curve.get_ydata())[-1] == 80.0
    assert np.asarray(confirmed.get_ydata())[0] == 60.0

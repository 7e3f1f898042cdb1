from __future__ import annotations

import numpy as np

from qipo_ray.leaderboard.figures.drawing import ReportFigure


def test_a_profile_is_the_share_of_runs_above_each_score(figures: dict[str, ReportFigure]) -> None:
    (panel,) = figures["profile"].figure.axes
    (line,) = [line for line in panel.lines if line.get_label() == "QIPO-OT, search, best"]
    thresholds, shares = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    expected = (np.array([59.0, 60.0, 61.0]) > thresholds[:, None]).mean(axis=1)
    assert shares.tolist() == expected.tolist()
    assert len(panel.collections) == 2  # a band for each configuration

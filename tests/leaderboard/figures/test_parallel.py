from __future__ import annotations

import numpy as np

from qipo_ray.leaderboard.figures.drawing import ReportFigure


def test_a_line_ends_at_the_score_of_its_trial(figures: dict[str, ReportFigure]) -> None:
    (panel,) = figures["parallel"].figure.axes
    lines = [line for line in panel.lines if len(np.asarray(line.get_xdata())) == 3]
    heights = sorted(float(np.asarray(line.get_ydata())[-1]) for line in lines)
    assert heights == [i / 8 for i in range(9)]  # scores 0 to 80
    assert [tick.get_text() for tick in panel.get_xticklabels()][-1] == "score"
    assert sum(line.get_linestyle() == ":" for line in lines) == 3  # stopped early

from __future__ import annotations

import numpy as np

from qipo_ray.leaderboard.figures.drawing import ReportFigure


def test_every_scored_trial_is_a_mark_in_every_panel(figures: dict[str, ReportFigure]) -> None:
    panels = figures["slices"].figure.axes
    assert [panel.get_xlabel() for panel in panels] == ["behaviour.path", "policy.beta (log)"]
    for panel in panels:
        finished, pruned = panel.lines[:2]
        assert np.asarray(finished.get_ydata()).tolist() == [10.0 * i for i in range(3, 9)]
        assert np.asarray(pruned.get_ydata()).tolist() == [0.0, 10.0, 20.0]


def test_bars_are_the_associations_the_strongest_first(figures: dict[str, ReportFigure]) -> None:
    (panel,) = figures["importance"].figure.axes
    widths = [bar.get_width() for bar in panel.patches]
    labels = [tick.get_text() for tick in panel.get_yticklabels()]
    assert widths == sorted(widths, reverse=True) and len(widths) == 2
    assert labels == ["policy.beta (n=9)", "behaviour.path (n=9)"]

from __future__ import annotations

from qipo_ray.leaderboard.formats.latex import escape


def test_latex_shows_its_own_signs() -> None:
    assert escape("\\{}$&#^_~%") == (
        r"\textbackslash{}\{\}\$\&\#\textasciicircum{}\_\textasciitilde{}\%"
    )
    assert escape("a -- b, ''c'' <d>|\"`") == (
        r"a -{-} b, '{'}c'{'} \textless{}d\textgreater{}\textbar{}{\char34}\textasciigrave{}"
    )

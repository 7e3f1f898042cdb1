from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.leaderboard import from_records
from qipo_ray.leaderboard.formats.latex import escape

TEXT_WIDTH = 487.0  # points, of a page with two columns at 10 pt, such as ICML's
GAP = 12.0  # points between two columns
ENGINE = next((name for name in ("tectonic", "pdflatex") if shutil.which(name)), None)
PAPER = r"""\documentclass[10pt]{article}
\usepackage{booktabs,graphicx,xcolor}
\begin{document}
Table~\ref{tab:qipo-1}.
\input{leaderboard}
\end{document}
"""
LOCOMOTION = [
    f"{robot}-{kind}-v2"
    for robot in ("halfcheetah", "hopper", "walker2d")
    for kind in ("medium", "medium-replay", "medium-expert")
]


def test_latex_shows_its_own_signs() -> None:
    assert escape("\\{}$&#^_~%") == (
        r"\textbackslash{}\{\}\$\&\#\textasciicircum{}\_\textasciitilde{}\%"
    )
    assert escape("a -- b, ''c'' <d>|\"`") == (
        r"a -{-} b, '{'}c'{'} \textless{}d\textgreater{}\textbar{}{\char34}\textasciigrave{}"
    )


@pytest.fixture(params=[["maze2d-umaze"], LOCOMOTION], ids=["one task", "nine"])
def source(request: pytest.FixtureRequest, make_record: Callable[..., dict[str, Any]]) -> str:
    """The leaderboard of two methods, one in two forms, with clone and data, in LaTeX."""
    records = [
        make_record(
            score + seed, seed=seed, task=task, path=path, name=name, beta=score,
            departures=("layer-norm",) if name != "paper form" else (),
        )
        for task in request.param
        for path, name, score in (
            ("ot", "paper form", 2.7), ("ot", "search, best", 45.8), ("vp", "search, best", 31.3)
        )
        for seed in (100, 101, 102)
    ]  # fmt: skip
    return from_records(records).document("latex")


def test_it_has_the_parts_of_a_table_in_their_order(source: str) -> None:
    assert source.startswith("% \\usepackage{booktabs,graphicx,xcolor}\n")
    commands = re.findall(
        r"\\((?:begin|end|label)\{[^}]*\}|centering|caption|toprule|midrule|bottomrule)", source
    )
    assert commands == [
        "begin{table*}", "centering", "caption", "label{tab:qipo-1}", "begin{tabular}", "toprule",
        "midrule", "bottomrule", "end{tabular}", "end{table*}",
    ]  # fmt: skip
    assert rows_of(source)
    (sides,) = re.findall(r"\\begin{tabular}{(\w+)}", source)
    assert {len(row) for row in rows_of(source)} == {len(sides)}


@pytest.mark.slow
def test_it_fits_a_page_at_ten_points(source: str) -> None:
    """So nothing is made smaller: widths are those of Computer Modern, which LaTeX takes."""
    import matplotlib
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    font, measure = FontProperties(fname=str(fonts / "cmr10.ttf"), size=10), TextToPath()
    widths = [
        max(
            measure.get_text_width_height_descent(line, font, False)[0]
            for cell in column
            for line in cell.split(r"\\")
        )
        for column in zip(*rows_of(source), strict=True)
    ]
    assert sum(widths) + GAP * len(widths) <= TEXT_WIDTH


@pytest.mark.slow
@pytest.mark.skipif(ENGINE is None, reason="neither tectonic nor pdflatex is on the PATH")
def test_it_compiles_at_ten_points(source: str, tmp_path: Path) -> None:
    (tmp_path / "leaderboard.tex").write_text(source)
    (tmp_path / "paper.tex").write_text(PAPER)
    options = [] if ENGINE == "tectonic" else ["-interaction=nonstopmode", "-halt-on-error"]
    done = subprocess.run(
        [str(ENGINE), *options, "paper.tex"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and (tmp_path / "paper.pdf").exists(), done.stdout[-2000:]
    assert "Overfull" not in done.stdout + done.stderr


def test_a_title_is_broken_between_words(make_record: Callable[..., dict[str, Any]]) -> None:
    records = [
        make_record(beta, task=task, name=name, beta=beta)
        for task in LOCOMOTION
        for name, beta in (("undiscounted returns", 1.0), ("other", 2.0))
    ]
    source = from_records(records).document("latex")
    assert r"\shortstack[r]{QIPO-OT,\\undiscounted\\returns}" in source


def rows_of(source: str) -> list[list[str]]:
    """The cells of all rows as they are set, without what makes them bold or stacks them."""
    plain = re.sub(r"\\textbf{([^{}]*)}", r"\1", source)
    plain = re.sub(r"\\shortstack\[r\]{([^{}]*)}", r"\1", plain)
    plain = plain.replace(r"$\pm$", "±").replace("$-$", "-")
    rows = [line.removesuffix(r" \\") for line in plain.splitlines() if line.endswith(r"\\")]
    return [re.split(r" & ", row) for row in rows]

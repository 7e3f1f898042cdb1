"""What every figure shares: palette, style, labels, and the files it becomes.

Text is plain text, never mathematics or markup, so that any name may stand in a figure. Colours
are Okabe and Ito's, which colour-blind eyes tell apart; markers and strokes differ too, for print.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import cycle
from typing import TYPE_CHECKING, Any

from qipo_ray.leaderboard.tables import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1b1c1e"  # these two appear nowhere else, so that a page may put its own in their place
PAPER = "#fefdfc"
GREY = "#7f7f7f"
LONGEST_LABEL = 48  # characters
MAX_PANELS = 12  # in one figure; a caption says what is left out

# What XML 1.0 cannot carry, and control characters that it only discourages.
_NOT_XML = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STYLE: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.facecolor": PAPER,
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "grid.alpha": 0.25,
    "grid.color": GREY,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "savefig.dpi": 150,
    "svg.fonttype": "none",
    "svg.hashsalt": "qipo-ray",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
}


@dataclass(frozen=True)
class LineStyle:
    """How one configuration is drawn, the same in every figure of a report."""

    colour: str
    marker: str
    dashes: str | tuple[int, tuple[int, ...]]  # as matplotlib's linestyle


_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_DASHES: tuple[str | tuple[int, tuple[int, ...]], ...] = (
    "-",
    "--",
    "-.",
    (0, (1, 1)),
    (0, (5, 1, 1, 1, 1, 1)),
)


def line_styles(names: Sequence[str]) -> dict[str, LineStyle]:
    """Return a style for each name, in order; the three traits repeat after 6, 7 and 5 names."""
    traits = zip(cycle(_COLOURS), cycle(_MARKERS), cycle(_DASHES), strict=False)
    return {
        name: LineStyle(*trait) for name, trait in zip(dict.fromkeys(names), traits, strict=False)
    }


@dataclass(frozen=True)
class ReportFigure:
    """A drawn figure with the text that belongs to it."""

    name: str  # of its files
    title: str
    caption: str  # what is shown, how it was computed, what is left out
    figure: Figure

    def renamed(self, name: str) -> ReportFigure:
        """Return the same figure under another name."""
        return replace(self, name=name)

    def png(self) -> bytes:
        """Return the figure as a PNG."""
        return self._saved("png")

    @cached_property
    def svg(self) -> str:
        """The figure as an SVG document, without a date in it; drawn once, for page and file."""
        return self._saved("svg").decode()

    def inline(self) -> str:
        """Return an ``<svg>`` element for a page, in the page's ``--ink`` and ``--paper``."""
        document = self.svg
        element = document[document.index("<svg") :]
        element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
        element = re.sub(r'( id="|url\(#|xlink:href="#)', rf"\g<1>{self.name}-", element)
        element = element.replace(INK, "var(--ink)").replace(PAPER, "var(--paper)")
        return element

    def _saved(self, kind: str) -> bytes:
        stream = io.BytesIO()
        with styled(), warnings.catch_warnings():
            # A name in a script that the font lacks: an SVG shows it all the same, a PNG a box.
            warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
            extra = {"metadata": {"Date": None}} if kind == "svg" else {}
            self.figure.savefig(stream, format=kind, **extra)  # type: ignore[arg-type]
        return stream.getvalue()


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the style of this project inside the block."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def empty_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches, that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@contextmanager
def panels(count: int = 1, *, height: float = 2.9) -> Iterator[tuple[Figure, list[Axes]]]:
    """Draw in that style: into ``count`` equal panels, two in a row once there are several."""
    columns = min(count, 2)
    rows = -(-count // columns)
    with styled():
        figure = empty_figure(8.0, height * rows + 0.5)
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for spare in axes[count:]:
            spare.remove()
        yield figure, list(axes[:count])


def short_label(text: str, longest: int = LONGEST_LABEL) -> str:
    """Return a name as a figure shows it: one line, only what XML can carry, not too long.

    It is cut in the middle: what tells two names apart stands at their ends.
    """
    line = " ".join(_NOT_XML.sub("\ufffd", text).split())
    return line if len(line) <= longest else f"{line[: longest - 10]}…{line[-9:]}"


def omitted(number: int, noun: str, location: str = "the tables") -> str:
    """Return the sentence of a caption on items without room, and where they stand; or nothing."""
    if not number:
        return ""
    verbs = "has no room and stands" if number == 1 else "have no room and stand"
    return f" {counted(number, f'further {noun}')} {verbs} in {location}."

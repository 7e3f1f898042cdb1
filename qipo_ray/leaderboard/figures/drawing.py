"""The ground every picture is drawn on: palette, style, and the files it becomes.

Text is plain text, never mathematics or markup, so that any name may stand in a picture. Colours
are Okabe and Ito's, which colour-blind eyes tell apart; markers and strokes differ too, for print.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1b1c1e"  # these two appear nowhere else, so that a page may put its own in their place
PAPER = "#fefdfc"
GREY = "#7f7f7f"
LONGEST_LABEL = 48  # signs
MOST_PANELS = 12  # in one picture; a caption says what is left out

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
class Look:
    """How one configuration is drawn, the same in every picture of a report."""

    colour: str
    marker: str
    stroke: str | tuple[int, tuple[int, ...]]  # as matplotlib's linestyle


_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_STROKES: tuple[str | tuple[int, tuple[int, ...]], ...] = (
    "-",
    "--",
    "-.",
    (0, (1, 1)),
    (0, (5, 1, 1, 1, 1, 1)),
)


def looks(names: Sequence[str]) -> dict[str, Look]:
    """Return a look for each name, by place; the three traits repeat after 6, 7 and 5 names."""
    return {
        name: Look(
            _COLOURS[i % len(_COLOURS)], _MARKERS[i % len(_MARKERS)], _STROKES[i % len(_STROKES)]
        )
        for i, name in enumerate(dict.fromkeys(names))
    }


@dataclass(frozen=True)
class Picture:
    """A drawn picture with the words that belong to it."""

    name: str  # of its files
    title: str
    caption: str  # what is shown, how it was computed, what is left out
    figure: Figure

    def renamed(self, name: str) -> Picture:
        """Return the same picture under another name."""
        return replace(self, name=name)

    def png(self) -> bytes:
        """Return the picture as a PNG."""
        return self._saved("png")

    def svg(self) -> str:
        """Return the picture as an SVG document, without a date in it."""
        return self._saved("svg").decode()

    def inline(self) -> str:
        """Return an ``<svg>`` element for a page, in the page's ``--ink`` and ``--paper``."""
        document = self.svg()
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


def blank(width: float, height: float) -> Figure:
    """Return an empty figure, in inches, that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panels(count: int, *, height: float = 2.9) -> tuple[Figure, list[Axes]]:
    """Return a figure with ``count`` equal panels, two in a row once there are several."""
    columns = min(count, 2)
    rows = -(-count // columns)
    figure = blank(8.0, height * rows + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for spare in grid[count:]:
        spare.remove()
    return figure, list(grid[:count])


def label(words: str, longest: int = LONGEST_LABEL) -> str:
    """Return a name as a picture shows it: one line, only what XML can carry, not too long.

    It is cut in the middle: what tells two names apart stands at their ends.
    """
    clean = "".join(sign if _is_xml(sign) else "\ufffd" for sign in words)
    line = " ".join(clean.split())
    return line if len(line) <= longest else f"{line[: longest - 10]}…{line[-9:]}"


def _is_xml(sign: str) -> bool:
    code = ord(sign)
    return code in (9, 10, 13) or (
        (0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000)
        and not 0x7F <= code <= 0x9F
    )


def left_out(number: int, thing: str, where: str = "the tables") -> str:
    """Return the sentence of a caption that says what had no room, or nothing.

    ``thing`` is the word for one of them; ``where`` is where they are found all the same.
    """
    if not number:
        return ""
    words = (
        f"{thing} has no room and stands" if number == 1 else f"{thing}s have no room and stand"
    )
    return f" {number} further {words} in {where}."

from __future__ import annotations

from collections.abc import Callable

from qipo_ray.leaderboard.formats.markdown import escape, section
from qipo_ray.leaderboard.tables import Cell, Table

MakeTable = Callable[..., Table]
Line = tuple[Cell, ...]


def test_markdown(make_table: MakeTable, leader_row: Line) -> None:
    assert section(make_table(leader_row, ("data", None, None, None, None))) == (
        "## A \\*title\\*\n"
        "\n"
        "What it says.\n"
        "\n"
        "| method | score | gain | seeds |\n"
        "| --- | ---: | ---: | --- |\n"
        "| QIPO \\[1\\] | **51.0 ± 2.3 \\[49.0, 53.0\\]** | -3.0 | 3 |\n"
        "| data | – | – | – |\n"
        "\n"
        "- A note.\n"
        "\n"
        "\\[1\\] 1. Foot.\n"
    )


def test_markdown_escapes_what_would_be_markup() -> None:
    assert escape("a|b `c` *d* _e_ [f](g) <h> \\") == (r"a\|b \`c\` \*d\* \_e\_ \[f\](g) \<h\> \\")
    assert escape("a & ~b~ $c$ #d") == r"a \& \~b\~ \$c\$ \#d"

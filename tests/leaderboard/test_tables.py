from __future__ import annotations

from qipo_ray.leaderboard.statistics.bootstrap import Interval
from qipo_ray.leaderboard.tables import MEAN, Column, Score, Table, cell_text, clean, counted


def test_a_terminal_leaves_the_interval_out_beside_a_deviation() -> None:
    column, leader = Column("last", "score", parts=MEAN), Score(51.04, 2.26, Interval(49.0, 53.0))
    assert cell_text(column, leader) == "51.0 ± 2.3 [49.0, 53.0]"
    assert cell_text(column, leader, narrow=True) == "51.0 ± 2.3"
    alone = Score(1.0, interval=Interval(0.0, 2.0))
    assert cell_text(column, alone, narrow=True) == cell_text(column, alone) == "1.0 [0.0, 2.0]"


def test_what_cells_hold_is_text_for_people() -> None:
    column = Column("x", "x")
    assert [cell_text(column, cell) for cell in (None, True, False, 3)] == ["–", "yes", "no", "3"]
    signed = Column("gain", "gain", parts=MEAN, signed=True)
    assert cell_text(signed, Score(2.0)) == "+2.0"


def test_a_document_leaves_out_the_columns_of_files() -> None:
    columns = (Column("a", "a"), Column("b", "b", "file"), Column("c", "c", "document"))
    table = Table("title", "caption", "d4rl", columns, (("1", "2", "3"),))
    assert [column.key for column in table.document.columns] == ["a", "c"]
    assert table.document.rows == (("1", "3"),)
    assert table.only("everywhere").rows == (("1",),)


def test_a_cell_stays_on_one_line_without_control_signs() -> None:
    assert clean("a\nb\r\n c\u2028d") == "a b c d"
    assert clean("a\x1b[31mb\x9bc\u202ed\u200b") == "a[31mbcd"


def test_a_number_agrees_with_its_noun() -> None:
    assert [counted(number, "run") for number in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]

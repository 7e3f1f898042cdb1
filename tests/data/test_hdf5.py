from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qipo_ray.data.columns import Column, check_amount
from qipo_ray.data.hdf5 import opened
from qipo_ray.data.layout import Unusable
from qipo_ray.data.tasks import get_task
from qipo_ray.errors import UserError


@pytest.mark.parametrize("change", ["written to", "replaced", "removed"])
def test_a_file_that_changes_while_it_is_read(change: str, columns, write) -> None:
    path = write(columns("point"))
    with (
        pytest.raises(UserError, match="point changed while it was read"),
        opened(path, get_task("point")),
    ):
        if change == "written to":
            with path.open("ab") as file:
                file.write(b"more")
        elif change == "replaced":
            other = write(columns("point"), "other.hdf5")
            other.replace(path)
        else:
            path.unlink()


def test_an_answer_that_lacks_chunks_is_not_believed(tmp_path: Path) -> None:
    """Rows that no chunk fills would be whatever lay in memory."""
    facts = {"type": "<f4", "shape": [100], "stored": 400, "offset": None, "chunk": [10],
             "filters": [], "pieces": [[0, 40, 0]] * 9}  # fmt: skip
    column = Column.of("rewards", 0, facts)
    with pytest.raises(Unusable, match="another number of chunks"):
        check_amount([column], 10_000)


@pytest.mark.parametrize("piece", [(2**63, 40, 0), (2**70, 40, 0), (990, 40, 0), (0, 41, 0)])
def test_places_beyond_the_file_are_refused(piece: tuple[int, int, int], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(1000))
    facts = {"type": "<f4", "shape": [10], "stored": 40, "offset": None, "chunk": [10],
             "filters": [], "pieces": [piece]}  # fmt: skip
    with path.open("rb") as file, pytest.raises(Unusable):
        Column.of("rewards", file.fileno(), facts).floats(np.empty(10, np.float32))

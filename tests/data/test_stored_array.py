from __future__ import annotations

import pytest

from qipo_ray.data.faults import Damaged
from qipo_ray.data.stored_array import StoredArray


@pytest.mark.parametrize("blocks", [[40] * 9, [40] * 11, [40] * 9 + [36], [399], []])
def test_an_array_comes_whole_or_not_at_all(blocks: list[int]) -> None:
    """Rows that no block fills would be whatever lay in memory."""
    facts = {"dtype": "<f4", "shape": [100], "lengths": None, "stored": 400}
    array = StoredArray.from_facts("rewards", facts, lambda name: map(bytes, blocks))
    with pytest.raises(Damaged):
        array.floats()

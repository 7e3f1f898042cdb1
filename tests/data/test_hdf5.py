from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from qipo_ray.data import hdf5
from qipo_ray.data.hdf5 import opened
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
            replacement = write(columns("point"), "other.hdf5")
            replacement.replace(path)
        else:
            path.unlink()


def test_the_published_file_needs_no_process(columns, write, monkeypatch) -> None:
    content = columns("point")
    path = write(content)
    task = replace(get_task("point"), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.delattr(hdf5, "inspected")
    with opened(path, task) as file:
        rewards = file.arrays["rewards"].floats()
    np.testing.assert_array_equal(rewards, content["rewards"])

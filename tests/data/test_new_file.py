"""A file has its name when it is whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from qipo_ray.data.new_file import new_file


def test_there_when_it_is_whole_and_checked(tmp_path: Path) -> None:
    path, seen = tmp_path / "deep" / "new.hdf5", []

    def check(whole: Path) -> None:
        with h5py.File(whole) as file:
            seen.append(file["numbers"][...].tolist())
        assert not path.exists()

    with new_file(path, check) as file:
        file["numbers"] = [1, 2]
    assert seen == [[1, 2]] and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("when", ["written", "checked"])
def test_a_fault_leaves_what_was_there(when: str, tmp_path: Path) -> None:
    path = tmp_path / "old.hdf5"
    path.write_bytes(b"old")

    def check(whole: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), new_file(path, check) as file:
        file["numbers"] = [1, 2]
        if when == "written":
            raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]

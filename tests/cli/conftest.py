"""What the tests of ``qipo-ray data`` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qipo_ray.cli.main import main

DataVerb = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data_verb(capsys: pytest.CaptureFixture[str]) -> DataVerb:
    """Return a function that runs a verb: exit code, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["data", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def point_file(tmp_path: Path, data_verb: DataVerb) -> Path:
    """Return a data file of `point` with four episodes."""
    path = tmp_path / "point-small.hdf5"
    code, out, err = data_verb("make", "point", "--rows", "100", "--output", str(path))
    assert (code, out, err) == (0, "", f"wrote {path}\n")
    return path

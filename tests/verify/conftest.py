"""A small sweep on disk, written by the store's own functions, for one thing wrong at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from synthetic_sweep import SEARCHED, SyntheticSweep, complete, with_id

from qipo_ray.store.files import sealed, unsealed
from qipo_ray.store.records import read_records
from qipo_ray.verify import verify


@pytest.fixture(scope="session")
def open_books() -> Callable[[Path], SyntheticSweep]:
    """A function that begins a sweep's folder."""

    def begin(root: Path) -> SyntheticSweep:
        sweep = SyntheticSweep(root)
        sweep.specify()
        return sweep

    return begin


@pytest.fixture(scope="session")
def whole(
    tmp_path_factory: pytest.TempPathFactory, open_books: Callable[[Path], SyntheticSweep]
) -> Path:
    """A complete sweep."""
    return complete(open_books(tmp_path_factory.mktemp("verify") / "books")).root


@pytest.fixture
def root(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return shutil.copytree(whole, tmp_path / "books", copy_function=shutil.copyfile)


@pytest.fixture
def books(root: Path) -> SyntheticSweep:
    """The same copy, to go on with."""
    sweep = SyntheticSweep(root, list(SEARCHED))
    sweep.read_spec()
    return sweep


@pytest.fixture
def forge(root: Path) -> Callable[..., Path]:
    """A function that changes one record and seals it again, as a forger would.

    ``purpose`` and ``beta`` say which; ``change`` edits it; it gets the id that it then has.
    """

    def act(change: Callable[[dict[str, Any]], object], purpose: str, beta: float) -> Path:
        path = next(
            root / "records" / f"{record['id']}.json"
            for record in read_records(root)
            if (record["purpose"], record["config"]["policy"]["beta"]) == (purpose, beta)
        )
        record = unsealed(path.read_bytes())
        path.unlink()
        change(record)
        record = with_id(record)
        path = path.with_name(f"{record['id']}.json")
        path.write_bytes(sealed(record))
        return path

    return act


@pytest.fixture(scope="session")
def faults() -> Callable[[Path], list[tuple[str, str]]]:
    """A function that returns what is wrong with a sweep: places and words."""
    return lambda root: [(one.place, one.what) for one in verify(root).faults]

"""``qipo-ray data make``: where generated data go."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

DataVerb = Callable[..., tuple[int, str, str]]


def test_make_never_replaces_a_file(point_file: Path, data_verb: DataVerb) -> None:
    before = point_file.read_bytes()
    code, _, err = data_verb("make", "point", "--output", str(point_file))
    assert (code, "exists" in err) == (2, True)
    assert point_file.read_bytes() == before


def test_make_into_the_cache_and_find_it_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_verb: DataVerb
) -> None:
    monkeypatch.setenv("QIPO_DATA", str(tmp_path))
    assert data_verb("make", "point")[0] == 0
    code, out, _ = data_verb("show", "point", "--json")
    facts = json.loads(out)
    assert (code, facts["source"], Path(facts["file"]).parent) == (0, "generated", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["make", "hopper-medium-v2"], "no data generator"),
        (["make", "point", "--rows", "0"], "'--rows'"),
        (["make", "point", "--seed", "3"], "--output"),
    ],
)
def test_mistakes(arguments: list[str], words: str, data_verb: DataVerb) -> None:
    code, out, err = data_verb(*arguments)
    assert (code, out) == (2, "")
    assert words in err and err.count("\n") == 1

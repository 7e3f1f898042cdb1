from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.store.intents import read_intent, read_intents, trial_id, write_intent
from qipo_ray.store.record_schema import RecordError


def intent(position: int = 0, task: str = "point", **changes: Any) -> dict[str, Any]:
    config_hash = f"{position:016x}"
    return {
        "schema": 1,
        "id": trial_id("quick", task, config_hash),
        "sweep": "quick",
        "task": task,
        "position": position,
        "params": {"policy.beta": 3.5, "behaviour.path": "ot"},
        "config": {"policy": {"beta": 3.5}},
        "config_hash": config_hash,
        "seeds": [0, 1],
        "rungs": [100, 300, 900],
        "origin": "search",
        "written": "2026-01-01T00:00:00+00:00",
    } | changes


def test_intents_come_back_in_the_order_of_the_study(tmp_path: Path) -> None:
    assert read_intents(tmp_path) == []
    for position in (3, 0, 2, 1):
        path = write_intent(tmp_path, intent(position))
        assert path == tmp_path / "trials" / f"{intent(position)['id']}.json"
    write_intent(tmp_path, intent(0, "maze2d-umaze"))
    found = read_intents(tmp_path)
    assert [i["position"] for i in found] == [0, 0, 1, 2, 3]
    assert found[0]["task"] == "maze2d-umaze" and found[1] == intent(0)


def test_one_intent_by_its_trial(tmp_path: Path) -> None:
    write_intent(tmp_path, intent(1))
    assert read_intent(tmp_path, intent(1)["id"]) == intent(1)
    with pytest.raises(FileNotFoundError, match="no intent"):
        read_intent(tmp_path, intent(2)["id"])
    with pytest.raises(ValueError, match="unsafe"):
        read_intent(tmp_path, "../records/x")


def test_an_intent_is_written_once(tmp_path: Path) -> None:
    write_intent(tmp_path, intent())
    write_intent(tmp_path, intent(written="2026-01-02T00:00:00Z"))
    with pytest.raises(RecordError, match=r"intent\.seeds: .* holds another value"):
        write_intent(tmp_path, intent(seeds=[0, 2]))
    assert read_intents(tmp_path) == [intent()]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"origin": "luck"}, "intent.origin"),
        ({"id": "0" * 12}, "intent.id: not the hash"),
        ({"seeds": []}, "intent.seeds"),
        ({"seeds": [1, 1]}, "intent.seeds"),
        ({"rungs": [300, 100]}, "intent.rungs: expected rising"),
        ({"params": {"policy.beta": float("nan")}}, "intent.params.policy.beta"),
        ({"position": -1}, "intent.position"),
        ({"written": "yesterday"}, "intent.written"),
        ({"extra": 1}, "unknown field 'extra'"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(RecordError, match=text.replace(".", r"\.")):
        write_intent(tmp_path, intent(**changes))
    assert read_intents(tmp_path) == []


def test_every_flipped_bit_is_found_and_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_intent(tmp_path, intent())
    sound = path.read_bytes()
    for i in range(0, len(sound), 5):
        damaged = bytearray(sound)
        damaged[i] ^= 1
        path.write_bytes(damaged)
        found = read_intents(tmp_path)
        assert found in ([], [intent()])  # white space means nothing
        if not found:
            assert path.name in caplog.text and not path.exists()
    write_intent(tmp_path, intent())
    assert read_intents(tmp_path) == [intent()]
    path.rename(path.with_name("0" * 12 + ".json"))
    assert read_intents(tmp_path) == []


def test_a_file_of_another_kind_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / "notes.json").write_text(json.dumps({"schema": 1}))
    with caplog.at_level(logging.WARNING):
        assert read_intents(tmp_path) == []
    assert "notes.json" in caplog.text


@pytest.mark.faults
def test_a_crash_leaves_no_intent_or_a_whole_one(
    tmp_path: Path, crash_points: Callable[[Callable[[], object]], Iterator[int]]
) -> None:
    count = 0
    for n in crash_points(lambda: write_intent(tmp_path / "sweep", intent())):
        assert read_intents(tmp_path / "sweep") in ([], [intent()])
        for path in (tmp_path / "sweep").glob("trials/*.json"):
            path.unlink()
        count = n
    assert count >= 5
    assert read_intents(tmp_path / "sweep") == [intent()]

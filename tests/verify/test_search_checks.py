"""Intents, rung log and search records that do not fit together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.store.files import sealed, unsealed
from qipo_ray.store.rung_log import RungLog

Record = dict[str, Any]
Faults = Callable[[Path], list[tuple[str, str]]]


@pytest.mark.slow_after(3)
@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"task": "maze2d-umaze"}, "task: 'maze2d-umaze', its trial has 'point'"),
        ({"seed": 55}, "seed: 55 is none of its trial's, 0, 1"),
        ({"trial": "0" * 12}, "its trial 000000000000 has no intent"),
        ({"trial": None}, "its trial None has no intent"),
        ({"reached": {"rung": 1, "updates": 3000}}, "pruned at rung 2 of 2"),
        ({"reached": {"rung": 2, "updates": 9000}}, "reached.rung: 2, its trial has 2 rungs"),
        ({"reached": {"rung": None, "updates": 0}}, "pruned, but it reached no rung"),
        ({"reached": {"rung": 0, "updates": 999}}, "reached.updates: 999, its rung is at 1000"),
        ({"scores": []}, "scores: not at each rung that it reached"),
        ({"state": "finished"}, "finished at rung 1 of 2"),
        ({"label": {"method": "QIPO-OT", "departures": [], "name": "paper"}}, "label.name: "),
    ],
)
def test_a_record_that_is_not_of_its_trial(
    root: Path, forge: Any, faults: Faults, change: dict[str, Any], what: str
) -> None:
    path = forge(lambda record: record.update(change), "search", 30.0)
    assert any(what in words for place, words in faults(root) if place.endswith(path.name)), (
        faults(root)
    )


def test_a_finished_run_that_is_made_a_pruned_one(root: Path, forge: Any, faults: Faults) -> None:
    def change(record: Record) -> None:
        record |= {"state": "pruned", "reached": {"rung": 0, "updates": 1000}}
        record["scores"] = record["scores"][:1]
        record["final"] = dict.fromkeys(record["final"])

    path = forge(change, "search", 20.0)
    found = faults(root)
    assert (f"records/{path.name}", "pruned at rung 1, but the log goes beyond it") in found
    assert any("its runs ended in different ways" in words for _, words in found)


def test_a_pruned_run_at_a_rung_that_is_not_in_the_log(
    root: Path, forge: Any, faults: Faults
) -> None:
    def change(record: Record) -> None:
        score = record["scores"][0] | {"updates": 3000}
        record |= {"state": "finished", "reached": {"rung": 1, "updates": 3000}}
        record["scores"] = [*record["scores"], score]

    forge(change, "search", 30.0)
    assert ("rungs.jsonl", f"rung 2 of trial {trial(root, 30.0)} is missing") in faults(root)


def trial(root: Path, beta: float) -> str:
    return next(
        path.stem
        for path in (root / "trials").glob("*.json")
        if unsealed(path.read_bytes())["params"]["policy.beta"] == beta
    )


def test_a_log_that_says_another_value(root: Path, forge: Any, faults: Faults) -> None:
    forge(lambda record: record["scores"][0].update(normalised=50.0), "search", 30.0)
    found = faults(root)
    assert any(place == "rungs.jsonl" and "records say" in what for place, what in found)
    assert any("not the score in record" in what for _, what in found)


@pytest.mark.slow_after(2)
@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"seeds": [0, 7]}, "seeds 0, 7, not 0, 1"),
        ({"rungs": [1000, 2000, 3000]}, "rungs at 1000, 2000, 3000 updates are not its shares"),
        ({"params": {"policy.beta": 4.0}}, "its configuration is not the base with its"),
        ({"params": {"policy.gamma": 4.0}}, "its configuration is not the base with its"),
        ({"params": {"policy.beta": 44.0, "critic.width": 128}}, "critic.width is not searched"),
        ({"origin": "paper"}, "its configuration is not the base with its parameters"),
        ({"task": "maze2d-umaze"}, "maze2d-umaze is none of its tasks"),
    ],
)
def test_a_trial_that_the_sweep_did_not_plan(
    books: Any, faults: Faults, change: dict[str, Any], what: str
) -> None:
    if "task" in change:
        change = change | {"id": "e7f6ae0dc1a4"}  # the hash of its name
    books.intend(44.0)
    path = books.root / "trials" / f"{books.trial(44.0)}.json"
    intent = unsealed(path.read_bytes()) | change
    path.unlink()
    if "task" in change:
        from qipo_ray.store.intents import trial_id

        intent["id"] = trial_id("books", intent["task"], intent["config_hash"])
    path.with_name(f"{intent['id']}.json").write_bytes(sealed(intent))
    found = [
        words for place, words in faults(books.root) if place == f"trials/{intent['id']}.json"
    ]
    assert any("did not plan this trial" in words and what in words for words in found), found


def test_an_intent_whose_configuration_was_changed(root: Path, faults: Faults) -> None:
    path = root / "trials" / f"{trial(root, 30.0)}.json"
    intent = unsealed(path.read_bytes())
    intent["config"]["policy"]["beta"] = 31.0
    path.write_bytes(sealed(intent))
    place = f"trials/{path.name}"
    assert (place, "its configuration does not have the hash that it names") in faults(root)


def test_lines_of_the_log_that_no_intent_asked_for(root: Path, faults: Faults) -> None:
    entry = {
        "trial": "0" * 12, "task": "point", "rung": 0, "updates": 1000, "value": 1.0,
        "attempt": 1, "at": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    log = RungLog(root / "rungs.jsonl")
    log.append(entry)
    log.append(entry | {"trial": trial(root, 30.0), "rung": 1, "updates": 2999})
    log.append(entry | {"trial": trial(root, 20.0), "rung": 2, "updates": 4000})
    words = [what for place, what in faults(root) if place == "rungs.jsonl"]
    assert words == [
        f"rung 2 of trial {trial(root, 30.0)} is not as its intent says",
        f"rung 3 of trial {trial(root, 20.0)} is not as its intent says",
        "trial 000000000000 has no intent",
    ]


@pytest.mark.slow
def test_a_torn_log_is_found_at_any_length(root: Path, faults: Faults) -> None:
    log = root / "rungs.jsonl"
    whole = log.read_bytes()
    for length in range(0, len(whole), 197):
        log.write_bytes(whole[:length])
        assert any(place == "rungs.jsonl" for place, _ in faults(root)), length
    log.write_bytes(whole.replace(b'"value":29', b'"value":31'))
    words = [what for place, what in faults(root) if place == "rungs.jsonl"]
    assert (
        "check sum" in words[0] and words[1] == f"rung 2 of trial {trial(root, 10.0)} is missing"
    )


def against_the_rule(books: Any, faults: Faults, beta: float, values: list[float]) -> list[str]:
    """Return what is said of one more trial with these values at its rungs."""
    books.search(beta, values)
    path = f"trials/{books.trial(beta)}.json"
    return [what for where, what in faults(books.root) if where == path and "the rule" in what]


def test_a_trial_that_went_on_where_the_rule_stops_it(books: Any, faults: Faults) -> None:
    (what,) = against_the_rule(books, faults, 44.0, [1.0, 50.0])
    assert what.startswith("it went on at rung 1, against the rule: 1 at this rung is below ")


def test_a_trial_that_was_stopped_where_the_rule_lets_it_go_on(books: Any, faults: Faults) -> None:
    (what,) = against_the_rule(books, faults, 44.0, [99.0])
    assert what.startswith("it stopped at rung 1, against the rule: 99 at this rung reaches ")


def test_a_trial_that_ended_as_the_rule_says(books: Any, faults: Faults) -> None:
    assert against_the_rule(books, faults, 44.0, [99.0, 1.0]) == []
    assert against_the_rule(books, faults, 45.0, [2.0]) == []


def test_a_reduction_that_was_extended_away_may_have_decided(books: Any, faults: Faults) -> None:
    """With half of the trials going on, 12 at the first rung stops where a third did not."""
    text = (books.root.parent / "search.yaml").read_text()
    books.specify(text.replace("reduction: 3", "reduction: 9").replace("trials: 4", "trials: 6"))
    assert not [what for _, what in faults(books.root) if "the rule" in what]

from __future__ import annotations

import json
from typing import Any

import pytest

from qipo_ray.config import config_hash, load_config, to_dict
from qipo_ray.errors import UserError
from qipo_ray.study.trial import BROKEN, ENDED, DatasetRef, Trial, TrialState


def intent(**changes: Any) -> dict[str, Any]:
    config = load_config("quickstart")
    return {
        "id": "0" * 12, "task": "point", "position": 3, "origin": "search",
        "params": {"policy.beta": 3.0}, "config": to_dict(config),
        "config_hash": config_hash(config), "seeds": [0, 1], "rungs": [10, 30],
        "written": "2026-01-01T00:00:00+00:00",
    } | changes  # fmt: skip


def test_a_trial_is_what_its_intent_says() -> None:
    trial = Trial.from_intent(intent())
    assert trial.config == load_config("quickstart") and trial.position == 3
    runs = trial.runs(DatasetRef("data.hdf5", "a" * 64))
    assert [(run.seed, run.rungs, run.data) for run in runs] == [
        (0, (10, 30), "data.hdf5"),
        (1, (10, 30), "data.hdf5"),
    ]


def test_a_configuration_that_cannot_be_read_names_the_trial() -> None:
    with pytest.raises(UserError, match="^trial 000000000000: unknown key 'colour'"):
        Trial.from_intent(intent(config=to_dict(load_config("quickstart")) | {"colour": {}}))


def test_states_are_the_words_of_the_records() -> None:
    assert [state.value for state in ENDED] == ["finished", "pruned", "diverged", "failed"]
    assert json.dumps(TrialState.PRUNED) == '"pruned"' and f"{TrialState.PRUNED}" == "pruned"
    assert TrialState("failed") is TrialState.FAILED == "failed"
    assert [state.broken for state in ENDED] == [state in BROKEN for state in ENDED]

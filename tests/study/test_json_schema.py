"""The schema that editors read: the files that ship fit it, what is wrong does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from qipo_ray.study.json_schema import search_file_schema

SPACES = Path(__file__).parents[2] / "search_spaces"
LINE = "# yaml-language-server: $schema=schema.json\n"


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    """The shipped schema, which is the one that the program prints."""
    schema = json.loads((SPACES / "schema.json").read_text("utf-8"))
    assert schema == search_file_schema(), "qipo-ray schema > search_spaces/schema.json"
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", sorted(SPACES.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_ships_fits(path: Path, validator: Draft202012Validator) -> None:
    text = path.read_text("utf-8")
    assert text.startswith(LINE)
    assert not list(validator.iter_errors(yaml.safe_load(text)))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("trails",), 3),
        (("trials",), 0),
        (("seeds", "search"), "a-b"),
        (("rungs",), {"shares": ["1/0x"]}),
        (("resources",), {"workers": "many"}),
        (("set",), {"policy.bta": 3}),
        (("set",), {"policy.beta": -1}),
        (("set",), {"behaviour.path": "straight"}),
        (("set",), {"policy.method": "ipo"}),
        (("baselines",), {"IQL": {"policy.rounds": 1.5}}),
        (("acting",), {"a": {"policy.beta": 1}}),
        (("space", "policy.beta"), {"int": [1, 3]}),
        (("space", "policy.beta"), {"uniform": [1, 3], "choice": [2]}),
        (("space", "policy.beta"), {"uniform": [1]}),
        (("space", "policy.beta"), {"uniform": [1, 3], "log": True}),
        (("space", "policy.beta"), {"uniform": [1, 3], "step": 0}),
        (("space", "policy.method"), {"choice": ["qipo", "iql"], "step": 1}),
        (("space", "sampler.noise"), {"choice": [0, 1]}),
        (("space", "evaluation.episodes"), {"choice": [5, 10]}),
    ],
)
def test_what_is_wrong_does_not(
    place: tuple[str, ...], value: Any, validator: Draft202012Validator
) -> None:
    document = yaml.safe_load((SPACES / "small.yaml").read_text("utf-8"))
    part = document
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    assert list(validator.iter_errors(document))


def test_a_method_of_ones_own_and_a_range_of_seeds_fit(validator: Draft202012Validator) -> None:
    document = yaml.safe_load((SPACES / "small.yaml").read_text("utf-8"))
    document["set"]["policy.method"] = "my_awr:AWR"
    document["seeds"]["report"] = "100-104"
    document["space"]["policy.rounds"]["when"] = {"behaviour.path": "ot"}
    document["space"]["policy.renew_every"] = {"int": [100, 900], "log": True}
    document["space"]["policy.loss_actions"] = {
        "int": [1, 9], "step": 2, "when": {"policy.renew_every": {"min": 300}}
    }  # fmt: skip
    assert not list(validator.iter_errors(document))

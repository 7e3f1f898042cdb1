"""The specification in a sweep's folder, and what may be run on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from qipo_ray.errors import UserError
from qipo_ray.study.saved_spec import UNHASHED
from qipo_ray.study.search_spec import Resources, SearchSpec
from qipo_ray.sweep.hours import Budget
from qipo_ray.sweep.spec_guard import end_early, settle_specification

DATA: Any = {"point": SimpleNamespace(sha256="a" * 64)}


def test_the_same_again_goes_on_also_with_other_resources(
    make_spec: Callable[..., SearchSpec], tmp_path: Path
) -> None:
    spec = make_spec()
    assert settle_specification(spec, tmp_path, DATA, extend=False).hash == spec.hash
    before = yaml.safe_load((tmp_path / "sweep.yaml").read_text())
    moved = replace(spec, resources=Resources(4, 2.0, 1.0, 8))
    settle_specification(moved, tmp_path, DATA, extend=False)
    after = yaml.safe_load((tmp_path / "sweep.yaml").read_text())
    assert after.pop("resources") != before.pop("resources") and after == before


def test_a_sweep_keeps_the_hash_of_its_folder(
    make_spec: Callable[..., SearchSpec], tmp_path: Path
) -> None:
    """As if this version wrote a setting more than the one that began the sweep."""
    spec = make_spec()
    document = {"hash": "", **spec.document(), "data": {"point": "a" * 64}}
    del document["base"]["policy"]["trust"]  # what came later means what was before
    older = replace(spec, saved_hash=None)
    hashed = {key: value for key, value in document.items() if key not in UNHASHED}
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"))
    document["hash"] = hashlib.sha256(text.encode()).hexdigest()[:16]
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    settled = settle_specification(older, tmp_path, DATA, extend=False)
    assert settled.hash == document["hash"] != spec.hash and settled == spec
    assert yaml.safe_load((tmp_path / "sweep.yaml").read_text())["base"] == document["base"]


def test_another_specification_is_refused_with_its_differences(
    make_spec: Callable[..., SearchSpec], tmp_path: Path
) -> None:
    settle_specification(make_spec(), tmp_path, DATA, extend=False)
    before = (tmp_path / "sweep.yaml").read_bytes()
    with pytest.raises(UserError, match="another specification: trials: 12 -> 13; add --extend"):
        settle_specification(make_spec(trials=13), tmp_path, DATA, extend=False)
    assert (tmp_path / "sweep.yaml").read_bytes() == before


def test_hours_let_go_on_what_hours_ended_and_nothing_else(
    make_spec: Callable[..., SearchSpec], tmp_path: Path
) -> None:
    short, asked = make_spec(), make_spec(trials=13)
    budget = Budget(1000, 0, confirm=10, trial=1)
    settle_specification(short, tmp_path, DATA, extend=False)
    with pytest.raises(UserError, match="another specification: trials: 12 -> 13; add --extend"):
        settle_specification(asked, tmp_path, DATA, extend=False, budget=budget)
    settle_specification(asked, tmp_path, DATA, extend=True)
    end_early(asked, tmp_path, trials=3, race=())
    settled = settle_specification(asked, tmp_path, DATA, extend=False, budget=budget)
    assert settled.trials == 13


def test_another_objective_is_refused_also_when_extended(
    make_spec: Callable[..., SearchSpec], tmp_path: Path
) -> None:
    settle_specification(make_spec(), tmp_path, DATA, extend=False)
    with pytest.raises(UserError, match="went by the objective score, not fqe; choose another"):
        settle_specification(make_spec(objective="fqe"), tmp_path, DATA, extend=True)


def test_an_extension_keeps_what_it_replaces(
    make_spec: Callable[..., SearchSpec], tmp_path: Path
) -> None:
    first, second = make_spec(), make_spec(trials=13)
    settle_specification(first, tmp_path, DATA, extend=False)
    before = (tmp_path / "sweep.yaml").read_bytes()
    assert settle_specification(second, tmp_path, DATA, extend=True).hash == second.hash
    assert (tmp_path / "specifications" / f"{first.hash}.yaml").read_bytes() == before


def test_other_data_are_refused_also_when_extended(
    make_spec: Callable[..., SearchSpec], tmp_path: Path
) -> None:
    settle_specification(make_spec(), tmp_path, DATA, extend=False)
    other: Any = {"point": SimpleNamespace(sha256="b" * 64)}
    with pytest.raises(UserError, match="the data of point have SHA-256 bbbbbbbbbbbb"):
        settle_specification(make_spec(), tmp_path, other, extend=True)


def test_a_damaged_one_is_one_line(make_spec: Callable[..., SearchSpec], tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("{")
    with pytest.raises(UserError, match="sweep.yaml: cannot be read: ") as caught:
        settle_specification(make_spec(), tmp_path, DATA, extend=False)
    assert "\n" not in str(caught.value)


def test_a_search_in_an_earlier_simulator_is_not_gone_on_with(
    make_spec: Callable[..., SearchSpec], tmp_path: Path
) -> None:
    """Its sweep.yaml names no physics; that of a task whose simulator never changed need not."""
    file = SimpleNamespace(sha256="a" * 64)
    data: Any = {"point": file, "halfcheetah-medium": file, "hopper-medium": file}
    settle_specification(make_spec(), tmp_path, data, extend=False)
    settle_specification(make_spec(), tmp_path, data, extend=False)
    path = tmp_path / "sweep.yaml"
    document = yaml.safe_load(path.read_text())
    assert document.pop("physics") == {"hopper-medium": 2}
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    del data["hopper-medium"]
    settle_specification(make_spec(), tmp_path, data, extend=False)
    data["hopper-medium"] = file
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    with pytest.raises(UserError, match="hopper-medium was scored in physics 1"):
        settle_specification(make_spec(), tmp_path, data, extend=True)

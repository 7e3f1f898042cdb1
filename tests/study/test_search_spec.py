from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from qipo_ray.errors import UserError
from qipo_ray.study.parameter import points
from qipo_ray.study.saved_spec import read_spec, spec_document
from qipo_ray.study.search_spec import (
    Baseline,
    Resources,
    SearchSpec,
    changed,
    differences,
    flat,
)

NESTED = """\
space:
  sampler.evaluations: {choice: [6, 10], when: {sampler.solver: heun}}
  sampler.solver: {choice: [heun, euler], when: {behaviour.path: ot}}
  behaviour.path: {choice: [vp, ot]}
  policy.rounds: {int: [2, 3]}
"""


def test_points_obey_when_in_every_order(make_spec: Callable[..., SearchSpec]) -> None:
    spec = make_spec(NESTED)
    assert [p.key for p in spec.parameters][0] == "behaviour.path"
    found = list(points(spec.parameters))
    assert len(found) == 2 * (1 + 2 + 1)
    assert {"behaviour.path": "vp", "policy.rounds": 2} in found
    for params in found:
        assert ("sampler.solver" in params) == (params["behaviour.path"] == "ot")
        assert ("sampler.evaluations" in params) == (params.get("sampler.solver") == "heun")
        config = spec.configuration(params)
        assert spec.params_of(config) == params
        assert {key: flat(config)[key] for key in params} == params
    assert len({spec.configuration(params) for params in found}) == len(found)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"behaviour.path": "ot", "policy.beta": 61, "policy.rounds": 1}, "from 5 to 60; got 61"),
        ({"behaviour.path": "ot", "policy.beta": 9, "policy.rounds": 4}, "from 1 to 3; got 4"),
        ({"behaviour.path": "ot", "policy.beta": 9}, "space.policy.rounds has no value"),
        (
            {"behaviour.path": "ot", "policy.beta": 9, "policy.rounds": 1, "critic.width": 8},
            "'critic.width' is not searched beside",
        ),
    ],
)
def test_a_value_outside_the_space_is_refused(
    make_spec: Callable[..., SearchSpec], params: dict, text: str
) -> None:
    with pytest.raises(UserError, match=r"search\.yaml:?\d*: ") as caught:
        make_spec().configuration(params)
    assert text in str(caught.value)


def test_settings_that_do_not_fit_together_name_the_line(
    make_spec: Callable[..., SearchSpec],
) -> None:
    spec = make_spec()
    spec = replace(
        spec, base=changed(spec.base, {"policy.rounds": 1, "policy.renew_every": 900_000_000})
    )
    with pytest.raises(UserError, match=r"search\.yaml:9: policy\.rounds times .* \(with "):
        spec.configuration({"behaviour.path": "ot", "policy.beta": 9, "policy.rounds": 3})


def test_params_of_knows_what_lies_outside(make_spec: Callable[..., SearchSpec]) -> None:
    spec = make_spec()
    inside = {"behaviour.path": "vp", "policy.beta": 12.5, "policy.rounds": 2}
    config = spec.configuration(inside)
    assert spec.params_of(config) == inside
    for other in ({"policy.beta": 3.0}, {"critic.width": 64}, {"policy.rounds": 9}):
        assert spec.params_of(changed(config, other)) is None


def test_the_document_is_whole_and_the_hash_leaves_resources_out(
    make_spec: Callable[..., SearchSpec],
) -> None:
    spec = make_spec("paper: {policy.beta: 3, critic.layer_norm: true}\n" + NESTED)
    document = spec.document()
    assert json.loads(json.dumps(document)) == document
    assert document["paper"] == {"policy.beta": 3.0}  # the base has layer norms already
    assert document["space"]["sampler.solver"] == {
        "choice": ["heun", "euler"],
        "when": {"behaviour.path": ["ot"]},
    }
    assert pickle.loads(pickle.dumps(spec)) == spec
    moved = replace(spec, resources=Resources(64, 8.0, 1.0, 8))
    assert moved.hash == spec.hash and moved.document() != document
    assert differences(document, moved.document()) == []
    for field, value in (
        ("trials", 13),
        ("top", 2),
        ("tasks", ("maze2d-umaze",)),
        ("paper", None),
        ("baselines", (Baseline("IQL", changed(spec.base, {"policy.method": "iql"})),)),
    ):
        assert replace(spec, **{field: value}).hash != spec.hash


def test_baselines_come_back_from_a_sweep_s_folder(
    make_spec: Callable[..., SearchSpec], tmp_path: Path
) -> None:
    """A specification without them is written as before."""
    plain = make_spec()
    assert "baselines" not in plain.document()
    spec = make_spec("baselines: {best: {behaviour.best_episodes: 0.1}, IQL: {}}\n" + NESTED)
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(spec_document(spec, {"point": "a" * 64}), sort_keys=False))
    assert read_spec(path).spec.baselines == spec.baselines
    assert [b.name for b in spec.baselines] == ["best", "IQL"]


def test_the_hash_does_not_depend_on_the_file_s_name(make_spec: Callable[..., SearchSpec]) -> None:
    spec = make_spec()
    assert replace(spec, source="/elsewhere.yaml").hash == spec.hash
    assert make_spec().hash == spec.hash


def test_differences_are_a_line_each(make_spec: Callable[..., SearchSpec]) -> None:
    old = make_spec("paper: {policy.beta: 3}\n" + NESTED)
    new = make_spec(
        """\
        paper: {policy.beta: 4, policy.sampler: ema}
        set: {critic.width: 64}
        space:
          behaviour.path: {choice: [vp, ot]}
          policy.rounds: {int: [2, 5]}
          policy.beta: {loguniform: [1, 10]}
        """,
        trials=20,
    )
    assert differences(old.document(), new.document()) == [
        "base.critic.width: 128 -> 64",
        "paper.policy.beta: 3 -> 4",
        "space.policy.rounds: {int: [2, 3]} -> {int: [2, 5]}",
        "space.sampler.solver: {choice: [heun, euler], when: {behaviour.path: [ot]}} -> nothing",
        "space.sampler.evaluations: {choice: [6, 10], when: {sampler.solver: [heun]}} -> nothing",
        "trials: 12 -> 20",
        "paper.policy.sampler: nothing -> ema",
        "space.policy.beta: nothing -> {loguniform: [1, 10]}",
    ]
    assert differences(old.document(), old.document()) == []


def test_a_wide_range_of_whole_numbers_costs_nothing(make_spec: Callable[..., SearchSpec]) -> None:
    """The paper's form lies outside of it; before, the message listed a billion numbers."""
    spec = make_spec("""\
        paper: {critic.refresh_every: 100}
        space:
          behaviour.path: {grid: [ot, vp]}
          critic.refresh_every: {int: [1000, 999999999]}
        """)
    assert spec.paper is not None and spec.params_of(spec.paper) is None
    with pytest.raises(UserError, match="must be from 1000 to 999999999; got 100$"):
        spec.configuration({"behaviour.path": "ot", "critic.refresh_every": 100})

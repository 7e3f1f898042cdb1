"""Every family's simulator moves as in MuJoCo 3.4, and as the release that was last looked at."""

from __future__ import annotations

import json

import mujoco
import numpy as np
import pytest
from fixtures.physics import CASES, OLD, PRINTS, PRINTS_AT, STATES, STATES_AT, fingerprints, walk

from qipo_ray.evaluation import maze2d, mujoco_env
from qipo_ray.evaluation._mujoco import restore_contacts

UNCHANGED = {"HalfCheetah-v5", "Walker2d-v4"}  # no margins, and nothing convex that rolls
NEW = tuple(map(int, mujoco.__version__.split(".")[:2])) >= (3, 5)


# The kitchen's model alone takes half a second to read.
CASES_BY_LENGTH = [
    pytest.param(name, marks=[pytest.mark.slow] if "kitchen" in name else []) for name in CASES
]


@pytest.fixture(scope="module", params=CASES_BY_LENGTH)
def walked(request) -> tuple[str, np.ndarray]:
    return request.param, walk(request.param, PRINTS_AT[-1])


def off(states: np.ndarray, name: str) -> float:
    """How far states are from those of MuJoCo 3.4.0."""
    with np.load(STATES) as file:
        return float(np.abs(states[list(STATES_AT)] - file[name]).max())


def test_states_are_those_of_mujoco_3_4(walked) -> None:
    name, states = walked
    assert off(states, name) < 1e-9


@pytest.mark.skipif(not NEW, reason="MuJoCo itself has the old contacts")
@pytest.mark.parametrize("name", CASES_BY_LENGTH)
def test_left_alone_they_are_not(name: str, monkeypatch) -> None:
    for module in (mujoco_env, maze2d):
        monkeypatch.setattr(module, "restore_contacts", lambda model: None)
    error = off(walk(name, STATES_AT[-1]), name)
    assert (error < 1e-9) if name in UNCHANGED else (error > 1e-3)


def test_the_release_that_changes_physics_is_named(walked) -> None:
    name, states = walked
    seen = json.loads(PRINTS.read_text())
    for step, mark in fingerprints(states).items():
        assert mark == seen["fingerprints"][name][step], (
            f"physics of {name} differ from those of mujoco {seen['mujoco']} after {step} steps: "
            f"mujoco {mujoco.__version__} changed them, or a change here did; see fixtures/physics"
        )


BODIES = """
<mujoco>
  <worldbody>
    <geom name="floor" type="plane" size="1 1 1" margin="{floor}"/>
    <body pos="0 0 0.1"><freejoint/><geom name="a" type="sphere" size="0.1" margin="{a}"/></body>
    <body pos="1 0 0.1"><freejoint/><geom name="b" type="sphere" size="0.1" margin="{b}"/></body>
  </worldbody>
  {pairs}
</mujoco>
"""
PAIR = '<contact><pair geom1="floor" geom2="b" margin="0.03"/></contact>'


@pytest.mark.parametrize(
    ("floor", "a", "b", "pairs", "expected"),
    [
        (0.01, 0.01, 0.01, "", [0.01, 0.01]),
        (0.01, 0.01, 0.01, PAIR, [0.01, 0.03]),  # of its own
        (0, 0.01, 0.01, "", [0.01, 0.01]),  # the larger one counts
        (0, 0, 0, "", [0, 0]),
        (0, 0, 0.01, "", [0, 0.005]),  # two without: exact with one another, half with others
    ],
)
def test_the_margins_of_contacts(floor, a, b, pairs, expected) -> None:
    xml = BODIES.format(floor=floor, a=a, b=b, pairs=pairs)
    model = mujoco.MjModel.from_xml_string(xml)
    restore_contacts(model)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    by_body = {data.contact[i].geom2: data.contact[i].includemargin for i in range(data.ncon)}
    assert [by_body[1], by_body[2]] == (expected if NEW or expected[-1] != 0.005 else [0, 0.01])


@pytest.mark.parametrize(
    ("release", "margin", "one_point"),
    [
        ("3.2.7", 0.01, False),
        (OLD, 0.01, False),
        ("3.5.0", 0.005, False),
        ("3.8.0", 0.005, True),
        ("3.10.0", 0.005, True),
        ("4.0.0", 0.005, True),
    ],
)
@pytest.mark.skipif(not hasattr(mujoco.mjtDisableBit, "mjDSBL_MULTICCD"), reason="not this flag")
def test_releases_are_compared_as_numbers(release, margin, one_point, monkeypatch) -> None:
    monkeypatch.setattr(mujoco, "__version__", release)
    model = mujoco.MjModel.from_xml_string(BODIES.format(floor=0.01, a=0.01, b=0.01, pairs=""))
    restore_contacts(model)
    assert model.geom_margin.tolist() == [margin] * 3
    assert bool(model.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_MULTICCD) == one_point

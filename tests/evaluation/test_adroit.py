"""Adroit's rewards, ends and successes against D4RL's formulas, computed from observations."""

from __future__ import annotations

import numpy as np
import pytest

from qipo_ray.evaluation.adroit import AdroitEnv

NAMES = ["AdroitHandPen-v1", "AdroitHandDoor-v1", "AdroitHandHammer-v1", "AdroitHandRelocate-v1"]


@pytest.fixture(scope="module", params=NAMES)
def world(request):
    world = AdroitEnv(request.param)
    yield world
    world.close()


def norm(values) -> float:
    return float(np.linalg.norm(values))


def pen(shown, speeds) -> float:
    distance, likeness = norm(shown[39:42]), shown[33:36] @ shown[36:39]
    bonus = 10 * (distance < 0.075 and likeness > 0.9) + 50 * (
        distance < 0.075 and likeness > 0.95
    )
    return -distance + likeness + bonus - 5 * (shown[26] < 0.075)


def door(shown, speeds) -> float:
    angle = shown[28]
    bonus = 2 * (angle > 0.2) + 8 * (angle > 1.0) + 10 * (angle > 1.35)
    return -0.1 * norm(shown[35:38]) - 0.1 * (angle - 1.57) ** 2 - 1e-5 * speeds @ speeds + bonus


def relocate(shown, speeds) -> float:
    distance = norm(shown[36:39])
    return -0.1 * norm(shown[30:33]) + 10 * (distance < 0.1) + 20 * (distance < 0.05)


FORMULAS = {"Pen": pen, "Door": door, "Relocate": relocate}


def test_rewards_are_d4rls(world) -> None:
    formula = next((f for name, f in FORMULAS.items() if name in world._name), None)
    rng = np.random.default_rng(0)
    world.reset(3)
    for _ in range(60):
        moment = world.step(rng.uniform(-1, 1, world.action_size))
        speeds = world._core.data.qvel
        if formula is None:  # the nail's goal is not observed; the rest of hammer's reward is
            shown, data = moment.observation, world._core.data
            nail = data.site_xpos[world._core.goal_site_id]
            tool = data.site_xpos[world._core.tool_site_id]
            expected = -0.1 * norm(shown[33:36] - shown[36:39]) - norm(tool - shown[42:45])
            expected -= 10 * norm(shown[42:45] - nail) + 1e-2 * norm(speeds)
        else:
            expected = formula(moment.observation, speeds)
        assert moment.reward == pytest.approx(expected, abs=1e-9)
        if moment.terminated:
            break


def test_a_dropped_pen_ends_the_episode() -> None:
    world = AdroitEnv("AdroitHandPen-v1")
    first = world.reset(0)
    for height, ends in ((0.05, True), (0.12, False)):
        # the pen lies on its side: its first joint moves it down
        qpos = np.append(first[:24], [first[26] - height, 0, 0, 0, 0, 0])
        world._core.set_state(qpos, np.zeros(30))
        assert world.step(np.zeros(24)).terminated == ends


def test_a_recorded_start_is_taken_back(world) -> None:
    actions = np.random.default_rng(1).uniform(-1, 1, (20, world.action_size))
    start = np.float32(world.reset(11))
    expected = [world.step(action) for action in actions]
    world.reset(12)  # another scene
    assert world.place(start)
    for action, moment in zip(actions, expected, strict=True):
        got = world.step(action)
        np.testing.assert_allclose(got.observation, moment.observation, atol=2e-3)
        assert got.reward == pytest.approx(moment.reward, abs=2e-3)


def test_success_takes_d4rls_number_of_steps() -> None:
    assert [AdroitEnv(name).goal_steps for name in NAMES] == [21, 26, 26, 26]

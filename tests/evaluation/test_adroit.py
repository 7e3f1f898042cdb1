"""Adroit's rewards, ends and successes against D4RL's formulas, computed from observations."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium_robotics.envs.adroit_hand.adroit_door import AdroitHandDoorEnv

from qipo_ray.errors import UserError
from qipo_ray.evaluation.adroit import AdroitEnv

NAMES = ["AdroitHandPen-v1", "AdroitHandDoor-v1", "AdroitHandHammer-v1", "AdroitHandRelocate-v1"]


@pytest.fixture(scope="module", params=NAMES)
def env(request):
    env = AdroitEnv(request.param)
    yield env
    env.close()


def norm(values) -> float:
    return float(np.linalg.norm(values))


def pen(observation, speeds) -> float:
    distance, likeness = norm(observation[39:42]), observation[33:36] @ observation[36:39]
    bonus = 10 * (distance < 0.075 and likeness > 0.9) + 50 * (
        distance < 0.075 and likeness > 0.95
    )
    return -distance + likeness + bonus - 5 * (observation[26] < 0.075)


def door(observation, speeds) -> float:
    angle = observation[28]
    bonus = 2 * (angle > 0.2) + 8 * (angle > 1.0) + 10 * (angle > 1.35)
    return (
        -0.1 * norm(observation[35:38])
        - 0.1 * (angle - 1.57) ** 2
        - 1e-5 * speeds @ speeds
        + bonus
    )


def relocate(observation, speeds) -> float:
    distance = norm(observation[36:39])
    return -0.1 * norm(observation[30:33]) + 10 * (distance < 0.1) + 20 * (distance < 0.05)


FORMULAS = {"Pen": pen, "Door": door, "Relocate": relocate}


@pytest.mark.slow_after(1)
def test_rewards_are_d4rls(env) -> None:
    formula = next((f for name, f in FORMULAS.items() if name in env._name), None)
    rng = np.random.default_rng(0)
    env.reset(3)
    for _ in range(60):
        step = env.step(rng.uniform(-1, 1, env.action_size))
        speeds = env._core.data.qvel
        if formula is None:  # the nail's goal is not observed; the rest of hammer's reward is
            observation, data = step.observation, env._core.data
            nail = data.site_xpos[env._core.goal_site_id]
            tool = data.site_xpos[env._core.tool_site_id]
            expected = -0.1 * norm(observation[33:36] - observation[36:39]) - norm(
                tool - observation[42:45]
            )
            expected -= 10 * norm(observation[42:45] - nail) + 1e-2 * norm(speeds)
        else:
            expected = formula(step.observation, speeds)
        assert step.reward == pytest.approx(expected, abs=1e-9)
        if step.terminated:
            break


class SecondVersion(AdroitHandDoorEnv):
    """The door of version 2: a release to come turns the sign of the palm's distance."""

    def step(self, action):
        observation, reward, *rest = super().step(action)
        palm, handle = self.data.site_xpos[self.grasp_site_id], observation[32:35]
        return observation, reward - 0.2 * norm(palm - handle), *rest


def test_version_2_is_taken_as_it_is_where_version_1_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, name = AdroitEnv("AdroitHandDoor-v1"), "AdroitHandDoor-v2"
    second = gymnasium.envs.registration.EnvSpec(name, SecondVersion)
    others = {key: spec for key, spec in gymnasium.registry.items() if "AdroitHand" not in key}
    monkeypatch.setattr(gymnasium, "registry", others | {name: second})
    monkeypatch.setattr(gymnasium.envs.registration, "registry", gymnasium.registry)
    env = AdroitEnv("AdroitHandDoor-v1")
    np.testing.assert_array_equal(first.reset(3), env.reset(3))
    for action in np.random.default_rng(0).uniform(-1, 1, (5, 28)):
        assert env.step(action).reward == pytest.approx(first.step(action).reward, abs=1e-12)
    del gymnasium.registry[name]
    monkeypatch.setattr(gymnasium, "register_envs", lambda package: None)
    with pytest.raises(UserError, match="has no AdroitHandDoor-v1 or AdroitHandDoor-v2: pip"):
        AdroitEnv("AdroitHandDoor-v1")


def test_a_dropped_pen_ends_the_episode() -> None:
    env = AdroitEnv("AdroitHandPen-v1")
    first = env.reset(0)
    for height, ends in ((0.05, True), (0.12, False)):
        # the pen lies on its side: its first joint moves it down
        qpos = np.append(first[:24], [first[26] - height, 0, 0, 0, 0, 0])
        env._core.set_state(qpos, np.zeros(30))
        assert env.step(np.zeros(24)).terminated == ends


def test_a_recorded_start_is_taken_back(env) -> None:
    actions = np.random.default_rng(1).uniform(-1, 1, (20, env.action_size))
    start = np.float32(env.reset(11))
    expected = [env.step(action) for action in actions]
    env.reset(12)  # another scene
    assert env.set_state(start)
    for action, step in zip(actions, expected, strict=True):
        got = env.step(action)
        np.testing.assert_allclose(got.observation, step.observation, atol=2e-3)
        assert got.reward == pytest.approx(step.reward, abs=2e-3)


def test_success_takes_d4rls_number_of_steps() -> None:
    assert [AdroitEnv(name).success_steps for name in NAMES] == [21, 26, 26, 26]

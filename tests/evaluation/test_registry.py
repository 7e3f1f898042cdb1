"""One real episode of every environment, in D4RL's layout and with D4RL's horizon."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from qipo_ray.data.tasks import get_task, task_ids
from qipo_ray.errors import UserError
from qipo_ray.evaluation._mujoco import REQUIREMENT
from qipo_ray.evaluation.registry import ENVIRONMENTS, make_env
from qipo_ray.evaluation.rollout import rollout
from qipo_ray.evaluation.score import normalised

# One task of every simulator, with the most steps that D4RL gives it.
EPISODES = {
    "hopper-medium-v2": 1000,
    "halfcheetah-medium-v2": 1000,
    "walker2d-medium-v2": 1000,
    "ant-medium-v2": 1000,
    "antmaze-umaze-v2": 700,
    "antmaze-medium-play-v2": 1000,
    "antmaze-large-diverse-v2": 1000,
    "antmaze-eval-umaze-v0": 700,
    "antmaze-eval-medium-play-v0": 1000,
    "antmaze-eval-large-play-v0": 1000,
    "maze2d-umaze-v1": 300,
    "maze2d-medium-v1": 600,
    "maze2d-large-v1": 800,
    "maze2d-open-v0": 150,
    "maze2d-umaze-dense-v1": 300,
    "maze2d-medium-dense-v1": 600,
    "maze2d-large-dense-v1": 800,
    "maze2d-open-dense-v0": 150,
    "maze2d-eval-umaze-v1": 300,
    "maze2d-eval-medium-v1": 600,
    "maze2d-eval-large-v1": 800,
    "maze2d-eval-umaze-dense-v1": 300,
    "maze2d-eval-medium-dense-v1": 600,
    "maze2d-eval-large-dense-v1": 800,
    "pen-human-v1": 100,
    "door-human-v1": 200,
    "hammer-human-v1": 200,
    "relocate-human-v1": 200,
    "kitchen-complete-v0": 280,
    "kitchen-partial-v0": 280,
    "kitchen-mixed-v0": 280,
    "point": 25,
}
FALLS = {"hopper-medium-v2", "walker2d-medium-v2", "ant-medium-v2", "pen-human-v1"}
WITH_GOAL = {"antmaze", "maze2d", "adroit", "kitchen"}


def test_no_simulator_is_left_out() -> None:
    """OGBench's are in test_single_tasks.py."""
    tasks = [task for name in task_ids() if (task := get_task(name)).family != "ogbench"]
    assert {get_task(name).simulator for name in EPISODES} == {task.simulator for task in tasks}
    families = {get_task(name).family for name in EPISODES}
    assert families | {"ogbench"} == {*ENVIRONMENTS, "point"}


@pytest.mark.slow
@pytest.mark.parametrize("task_id", EPISODES)
def test_one_episode(task_id: str) -> None:
    task, rng = get_task(task_id), np.random.default_rng(0)
    state, action = task.sizes
    shapes = set()

    def policy(observations, live):
        shapes.add(observations.shape)
        assert np.isfinite(observations).all()
        return rng.uniform(-1, 1, (len(live), action))

    got = rollout(task, policy, [1001])
    assert shapes == {(1, state)}
    assert task.horizon == EPISODES[task_id]
    assert got.lengths[0] == task.horizon or task_id in FALLS
    assert (got.success is None) == (task.family not in WITH_GOAL)
    assert np.isfinite(normalised(task, got.returns[0]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task_id", "episodes", "within"),  # at least two standard errors of the mean
    [
        ("halfcheetah-random-v2", 15, 41),  # a return's standard deviation: 78
        ("door-human-v1", 10, 1),  # 0.65
        ("hammer-human-v1", 10, 10),  # 5.2
        ("relocate-human-v1", 15, 2.4),  # 4.5
        ("pen-human-v1", 30, 68),  # 184
    ],
)
def test_random_actions_return_what_d4rl_measured(
    task_id: str, episodes: int, within: float
) -> None:
    """D4RL's lower reference is the return of random actions, in its own simulator."""
    task, rng = get_task(task_id), np.random.default_rng(0)

    def policy(observations, live):
        return rng.uniform(-1, 1, (len(live), task.sizes[1]))

    got = rollout(task, policy, range(episodes))
    assert got.returns.mean() == pytest.approx(task.ref_min, abs=within)


@pytest.mark.parametrize("task_id", ["door-human-v1", "kitchen-mixed-v0"])
def test_a_task_whose_package_is_missing_is_refused_in_one_line(task_id, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "gymnasium_robotics", None)
    monkeypatch.setattr(gymnasium, "registry", {})
    with pytest.raises(UserError, match=f"'{task_id}'.*qipo_ray\\[robotics\\]") as caught:
        make_env(get_task(task_id))
    assert "\n" not in str(caught.value)


def test_a_broken_mujoco_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pip leaves it after an upgrade from 3.9 to 4.0, whose own packages it unpacks first."""
    (tmp_path / "mujoco").mkdir()
    (tmp_path / "mujoco" / "__init__.py").write_text("import mujoco._specs\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "mujoco"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UserError, match=r"cannot be imported \(No module named 'mujoco._specs'\)"):
        make_env(get_task("hopper-medium-v2"))
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    assert f'"{REQUIREMENT}"' in pyproject.read_text()


@pytest.mark.slow
def test_nobody_is_told_that_d4rls_version_is_old() -> None:
    code = """if True:
        from qipo_ray.data.tasks import get_task
        from qipo_ray.evaluation.registry import make_env
        make_env(get_task("hopper-medium-v2")).close()
    """
    made = subprocess.run(
        [sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True
    )
    assert "out of date" not in made.stderr

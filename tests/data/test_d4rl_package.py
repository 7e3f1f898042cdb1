"""Our facts of D4RL against its own package, read without importing it.

``.ci/run`` installs ``d4rl==1.1`` without its dependencies into the folder ``QIPO_D4RL``.
"""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from qipo_ray.data.d4rl_hdf5 import counted_timeouts
from qipo_ray.data.tasks import get_task, task_ids
from qipo_ray.data.transitions import Dataset, qlearning_dataset
from qipo_ray.evaluation import antmaze, kitchen
from qipo_ray.evaluation._mujoco import restore_contacts
from qipo_ray.evaluation.maze2d import PointMass
from qipo_ray.evaluation.mazes import MAZES, Maze

PUBLISHED = [
    name
    for name in task_ids()
    if not (task := get_task(name)).generated and task.family != "ogbench"
]
REGISTERING = ("gym_mujoco", "hand_manipulation_suite", "locomotion", "pointmaze", "kitchen")


class Package(NamedTuple):
    """The folder of the package, and what can be read in it."""

    root: Path

    def tree(self, file: str) -> ast.Module:
        return ast.parse((self.root / file).read_text(encoding="utf-8"))

    def constants(self, file: str) -> dict[str, Any]:
        """The module's names whose values need nothing but its own earlier names."""
        known: dict[str, Any] = {}
        for node in self.tree(file).body:
            if isinstance(node, (ast.Assign, ast.For)):
                try:
                    exec(compile(ast.Module([node], []), file, "exec"), known)
                except (NameError, AttributeError):
                    continue
        known.pop("__builtins__", None)
        return known

    def function(self, file: str, name: str, **needed: Any) -> Callable[..., Any]:
        (node,) = [n for n in self.tree(file).body if getattr(n, "name", None) == name]
        scope: dict[str, Any] = {"np": np, **needed}
        exec(compile(ast.Module([node], []), file, "exec"), scope)
        return scope[name]

    def registered(self) -> dict[str, dict[str, Any]]:
        """What each ``register`` call says, with the loops around it."""
        found: dict[str, dict[str, Any]] = {}

        def register(id: str, max_episode_steps: int, kwargs: Any = None, **_: Any) -> None:
            found[id] = {"horizon": max_episode_steps, **(kwargs or {})}

        infos = type("infos", (), self.constants("infos.py"))
        mazes = self.constants("locomotion/maze_env.py")
        scope: dict[str, Any] = {
            "register": register,
            "infos": infos,
            "maze_env": type("maze_env", (), mazes),
            **self.constants("pointmaze/maze_model.py"),
        }
        for room in REGISTERING:
            body = self.tree(f"{room}/__init__.py").body
            kept = [n for n in body if isinstance(n, (ast.Assign, ast.Expr, ast.For))]
            exec(compile(ast.Module(kept, []), room, "exec"), scope)
        return found


@pytest.fixture(scope="module")
def package() -> Package:
    folder = os.environ.get("QIPO_D4RL")
    if not folder:
        pytest.skip("QIPO_D4RL names no folder: NOT HELD AGAINST D4RL'S PACKAGE")
    return Package(Path(folder) / "d4rl")


@pytest.fixture(scope="module")
def registered(package) -> dict[str, dict[str, Any]]:
    return package.registered()


def test_the_package_does_not_import(package) -> None:
    """Which is why this project has tables of its own."""
    done = subprocess.run(
        [sys.executable, "-c", "import d4rl"],
        env=os.environ | {"PYTHONPATH": str(package.root.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0 and "No module named 'gym'" in done.stderr


def test_the_conversion_runs_without_the_package(package) -> None:
    assert callable(package.function("__init__.py", "qlearning_dataset"))


def test_scores_and_urls_of_infos(package) -> None:
    infos = package.constants("infos.py")
    held = 0
    for name in PUBLISHED:
        task = get_task(name)
        for key, ours in (
            ("REF_MIN_SCORE", task.ref_min),
            ("REF_MAX_SCORE", task.ref_max),
            ("DATASET_URLS", task.url),
        ):
            if name in infos[key]:
                held += 1
                assert infos[key][name] == ours, (name, key)
    assert held > 300


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_d4rl_registers(name: str, registered) -> None:
    theirs, task = registered[name], get_task(name)
    assert theirs["horizon"] == task.horizon
    assert theirs["dataset_url"] == task.url
    assert (theirs["ref_min_score"], theirs["ref_max_score"]) == (task.ref_min, task.ref_max)


def test_no_task_of_the_families_is_missing(registered) -> None:
    with_data = {name for name, theirs in registered.items() if theirs.get("dataset_url")}
    assert with_data == set(PUBLISHED)


def marked(maze: Maze, marks: str) -> tuple[str, ...]:
    """Return a maze's rows as D4RL writes them, with its goal (and an ant's start) in them."""
    rows = [list(row) for row in maze.rows]
    for mark, (row, column) in zip(marks, (maze.goal, maze.start), strict=False):
        rows[row][column] = mark
    return tuple(map("".join, rows))


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name.startswith("maze2d")])
def test_mazes_of_maze2d(name: str, registered) -> None:
    simulator = get_task(name).simulator
    theirs = registered[name]
    rows = tuple(line.replace("O", ".") for line in theirs["maze_spec"].split("\\"))
    assert rows == marked(MAZES[simulator.removesuffix("-dense")], "G")
    assert (theirs["reward_type"] == "dense") == simulator.endswith("-dense")
    assert not theirs["reset_target"]


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name.startswith("antmaze")])
def test_mazes_of_antmaze(name: str, registered) -> None:
    theirs = registered[name]
    marks = {1: "#", 0: ".", "r": "S", "g": "G"}
    rows = tuple("".join(marks[tile] for tile in row) for row in theirs["maze_map"])
    assert rows == marked(antmaze.MAZES[get_task(name).simulator], "GS")
    assert (theirs["maze_size_scaling"], theirs["reward_type"]) == (antmaze.CELL, "sparse")
    assert theirs["eval"] and not theirs["non_zero_reset"]
    assert theirs.get("v2_resets", False) == name.endswith("-v2")


def maze_model(package: Package, spec: str) -> Any:
    """D4RL's own model of a maze, compiled by the MuJoCo of today."""
    import mujoco

    numbers = package.constants("pointmaze/maze_model.py")
    parse = package.function("pointmaze/maze_model.py", "parse_maze", **numbers)
    scope: dict[str, Any] = {}
    source = (package.root / "pointmaze/dynamic_mjc.py").read_text(encoding="utf-8")
    exec(compile(source, "dynamic_mjc", "exec"), scope)
    build = package.function(
        "pointmaze/maze_model.py",
        "point_maze",
        parse_maze=parse,
        MJCModel=scope["MJCModel"],
        WALL=numbers["WALL"],
    )
    text = io.StringIO()
    build(spec).root.write(text)
    return mujoco.MjModel.from_xml_string(text.getvalue())


@pytest.mark.parametrize("name", ["maze2d-umaze-v1", "maze2d-large-v1"])
def test_a_mass_moves_through_both_mazes_alike(name: str, package, registered) -> None:
    """The models differ in the floor alone, which the mass touches without friction."""
    import mujoco

    model = maze_model(package, registered[name]["maze_spec"])
    restore_contacts(model)  # of D4RL's time
    data, ours = mujoco.MjData(model), PointMass(MAZES[get_task(name).simulator])
    start, rng = (1.0, 1.0, 0.0, 0.0), np.random.default_rng(0)
    data.qpos[:], data.qvel[:] = start[:2], start[2:]
    ours.set_state(start)
    touched = 0
    for _ in range(40):
        push = rng.uniform(-1, 1, 2)
        for _ in range(25):
            data.qvel[:] = np.clip(data.qvel, -5, 5)
            data.ctrl[:] = push
            mujoco.mj_step(model, data)
            state = ours.push(*push.tolist())
            np.testing.assert_allclose(state, [*data.qpos, *data.qvel], atol=1e-6)
            touched += data.ncon > 1
    assert touched > 50


def test_the_ant_of_antmaze(package) -> None:
    """Compiled by the same MuJoCo, all that moves is equal; only the walls come on top."""
    import mujoco

    text = (package.root / "locomotion/assets/ant.xml").read_text(encoding="utf-8")
    theirs = mujoco.MjModel.from_xml_string(text)
    restore_contacts(theirs)
    ours = antmaze.AntmazeEnv("antmaze-umaze")._model
    assert theirs.opt.timestep == ours.opt.timestep
    assert theirs.opt.integrator == ours.opt.integrator
    for name in (
        "qpos0", "body_mass", "body_inertia", "body_pos", "jnt_range", "jnt_axis", "jnt_pos",
        "dof_armature", "dof_damping", "actuator_trnid",
    ):  # fmt: skip
        np.testing.assert_array_equal(getattr(theirs, name), getattr(ours, name), name)
    for name in ("size", "pos", "friction", "solref", "solimp", "margin", "condim", "conaffinity"):
        whole = getattr(ours, f"geom_{name}")
        walls = np.array([ours.geom_type[i] == 6 for i in range(ours.ngeom)])
        np.testing.assert_array_equal(getattr(theirs, f"geom_{name}"), whole[~walls], name)
    # D4RL maps [-1, 1] to the range of its motors, which have no gear.
    torque = theirs.actuator_gear[:, 0] * theirs.actuator_ctrlrange[:, 1]
    np.testing.assert_array_equal(torque, ours.actuator_gear[:, 0])


def test_goals_of_the_kitchen(package) -> None:
    facts = {
        node.name: node.body[-1].value
        for node in package.tree("kitchen/kitchen_envs.py").body
        if isinstance(node, ast.ClassDef) and node.name.startswith("KitchenMicrowave")
    }
    light = tuple(ast.literal_eval(facts["KitchenMicrowaveKettleLightSliderV0"]))
    burner = tuple(ast.literal_eval(facts["KitchenMicrowaveKettleBottomBurnerLightV0"]))
    assert kitchen.ELEMENTS["kitchen-complete"] == kitchen.ELEMENTS["kitchen-partial"] == light
    assert kitchen.ELEMENTS["kitchen-mixed"] == burner


class Env:
    """All that the conversion asks of an environment."""

    _max_episode_steps = 20


@pytest.mark.parametrize("timeouts", ["given", "counted"])
@pytest.mark.parametrize("seed", range(4))
def test_the_q_learning_conversion(package, seed: int, timeouts: str) -> None:
    rng, rows = np.random.default_rng(seed), 400
    columns = {
        "observations": rng.normal(size=(rows, 3)).astype(np.float32),
        "actions": rng.uniform(-1, 1, (rows, 2)).astype(np.float32),
        "rewards": rng.normal(size=rows).astype(np.float32),
        "terminals": rng.random(rows) < 0.04,
    }
    if timeouts == "given":
        columns["timeouts"] = rng.random(rows) < 0.05
        columns["timeouts"][-1] = seed % 2 == 0
    theirs = package.function("__init__.py", "qlearning_dataset")(Env(), columns)
    counted = counted_timeouts(columns["terminals"], Env._max_episode_steps)
    given = columns | {"timeouts": columns.get("timeouts", counted)}
    ours = qlearning_dataset(
        Dataset("none", Path(), "other", "", rows, **given, next_observations=None)
    )
    assert ours.keys() == theirs.keys()
    for key, values in theirs.items():
        np.testing.assert_array_equal(ours[key], values, key)
        assert len(values) < rows - 5  # rows were dropped

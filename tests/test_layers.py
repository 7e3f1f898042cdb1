"""Who may import whom: the table of the house, read from the source, so that no arrow slips in."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import structure

ROOT = Path(__file__).resolve().parents[1]
MAX_LINES = 400
ARROWS = structure.HOUSE

# Room -> the packages of others that it may import.
PACKAGES: dict[str, set[str]] = {
    "config": {"pydantic", "pydantic_core", "typing_extensions", "yaml"},
    "study": {"pydantic", "typing_extensions", "yaml"},
    "store": {"obstore", "pydantic", "typing_extensions"},
    "flow": {"torch"},
    "nets": {"torch"},
    "data": {"numpy", "h5py", "pyarrow", "requests", "urllib3"},
    "agent": {"numpy", "torch"},
    "evaluation": {"numpy", "gymnasium", "gymnasium_robotics", "imageio", "mujoco", "ogbench"},
    "train": {"numpy", "torch"},
    "tracking": {"torch", "tensorboard", "wandb", "mlflow"},
    "deploy": {"numpy", "torch", "onnxruntime"},
    "validation": {"torch", "matplotlib"},
    "bench": {"numpy"},
    "distributed": {"torch", "ray", "requests"},
    "sweep": {"ray", "optuna", "tensorboard", "yaml"},
    "verify": set(),
    "leaderboard": {"numpy", "pydantic", "yaml", "jinja2", "matplotlib"},
    "cli": {"rich", "torch", "typer"},
    "api": set(),
}

OPEN = {"errors", "version", "cores", "user_modules"}  # outside of the rooms
# Modules stricter than their room: nothing but the standard library, `errors` and each other.
PURE = {"data.ogbench_table", "data.tasks"}
# Packages that only functions may import, wherever they are used: they cost seconds at start.
LAZY = {
    "gymnasium", "gymnasium_robotics", "imageio", "matplotlib", "minari", "mlflow", "mujoco",
    "obstore", "ogbench", "onnxruntime", "wandb",
}  # fmt: skip
# The modules of cli that `--help` imports, and the one package that they may use.
CLI_LIGHT = {
    f"cli.{name}"
    for name in (
        "__init__", "main", "invocation", "lazy", "machine_errors", "options", "plain_signs",
        "stopping", "verbs",
    )
}  # fmt: skip
CLI_LIGHT_PACKAGES = {"typer"}


@dataclass(frozen=True)
class Import:
    """One import: its full dotted target, its line, and when it is carried out."""

    target: str
    line: int
    at_start: bool  # outside of any function and of `if TYPE_CHECKING:`


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def _targets(node: ast.Import | ast.ImportFrom, package: list[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        base = ".".join([*package[: len(package) - node.level + 1], *base.split(".")]).strip(".")
    return [f"{base}.{alias.name}" for alias in node.names]


def read_imports(tree: ast.AST, package: list[str], at_start: bool = True) -> Iterator[Import]:
    """Yield every import under a syntax tree of a module that lies in ``package``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for target in _targets(node, package):
                yield Import(target, node.lineno, at_start)
        elif not isinstance(node, ast.expr):  # none lies inside of an expression
            inner = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            later = inner or _is_type_checking(node)
            yield from read_imports(node, package, at_start and not later)


@cache  # two tests look through the whole package
def imports_of(path: Path, root: Path) -> tuple[Import, ...]:
    """Return the imports of a module of the source tree under ``root``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return tuple(read_imports(tree, list(path.relative_to(root).with_suffix("").parts[:-1])))


def _within(target: str, allowed: set[str]) -> bool:
    return any(target == name or target.startswith(f"{name}.") for name in allowed)


def _fault(parts: list[str], found: Import) -> str | None:
    """Return what is wrong with one import of the module ``parts``, or None."""
    room, module = parts[0], ".".join(parts)
    top, _, inner = found.target.partition(".")
    twin = len(parts) > 1 and parts[-1] == "__main__"  # hands over to `python -m qipo_ray`
    light = _within(module, CLI_LIGHT)
    if top in sys.stdlib_module_names:
        return None
    if top != "qipo_ray":
        if twin or module in PURE or top not in PACKAGES.get(room, set()):
            return f"may not import {top}"
        if found.at_start and top in LAZY:
            return f"imports {top} outside of a function"
        if light and top not in CLI_LIGHT_PACKAGES:
            return f"imports {top}, which `--help` would wait for"
        if room == "cli" and not found.at_start:
            return f"imports {top} elsewhere than at its top"
        return None
    if twin:
        allowed = set()
    elif module in PURE:
        allowed = {"errors", *PURE}
    elif room in OPEN:
        allowed = {"errors"}
    elif room == "__init__" and found.at_start:
        allowed = {"version"}
    else:
        allowed = ARROWS[room] | OPEN | {room}
    if not _within(inner, allowed):
        return f"may not import qipo_ray.{inner}"
    if light and not _within(inner, CLI_LIGHT | OPEN):
        return f"imports qipo_ray.{inner}, which `--help` would wait for"
    if room == "cli" and not found.at_start:
        return f"imports qipo_ray.{inner} elsewhere than at its top"
    return None


def faults(root: Path) -> list[str]:
    """Return one line per broken rule of the source tree under ``root``."""
    lines = []
    for path in sorted([*root.glob("qipo_ray/**/*.py"), *root.glob("tests/**/*.py")]):
        count = len(path.read_text(encoding="utf-8").splitlines())
        if count > MAX_LINES:
            lines.append(f"{path.relative_to(root)}: {count} lines, at most {MAX_LINES}")
    for path in sorted(root.glob("qipo_ray/**/*.py")):
        where = path.relative_to(root / "qipo_ray").with_suffix("")
        parts = list(where.parts)
        imports = imports_of(path, root)
        if parts == ["data", "__init__"] and any(
            i.target != "__future__.annotations" for i in imports
        ):
            lines.append("qipo_ray/data/__init__.py: imports something; it must stay empty")
        if parts[0] not in ARROWS:
            lines.append(f"qipo_ray/{parts[0]}: a room that the table does not know")
            continue
        for found in imports:
            fault = _fault(parts, found)
            if fault:
                lines.append(f"{path.relative_to(root)}:{found.line}: {fault}")
    return lines


def unused(root: Path) -> list[str]:
    """Return the permissions of the two tables that no module of their room uses."""
    targets: dict[str, set[str]] = {room: set() for room in ARROWS}
    for path in sorted(root.glob("qipo_ray/**/*.py")):
        parts = path.relative_to(root / "qipo_ray").with_suffix("").parts
        targets[parts[0]] |= {one.target for one in imports_of(path, root)}
    rooms = {room: {f"qipo_ray.{name}" for name in names} for room, names in ARROWS.items()}
    return [
        f"{room} -> {name}"
        for table in (rooms, PACKAGES)
        for room, names in table.items()
        for name in sorted(names)
        if not any(_within(target, {name}) for target in targets[room])
    ]


def test_the_house_keeps_its_layers() -> None:
    assert faults(ROOT) == []


def test_every_permission_is_used() -> None:
    assert unused(ROOT) == []


def test_ray_and_optuna_stay_in_their_rooms() -> None:
    for package, rooms in {"ray": {"distributed", "sweep"}, "optuna": {"sweep"}}.items():
        assert {room for room, names in PACKAGES.items() if package in names} == rooms


BROKEN = {
    "flow/paths.py": ("from qipo_ray.agent import pack", "may not import qipo_ray.agent.pack"),
    "nets/stack.py": ("from ..flow import paths", "may not import qipo_ray.flow.paths"),
    "agent/critic.py": ("from qipo_ray.data import tasks", "may not import qipo_ray.data.tasks"),
    "train/engine.py": ("def f():\n    import ray", "may not import ray"),
    "distributed/broker.py": ("import optuna.study", "may not import optuna"),
    "leaderboard/rows.py": ("def f():\n    import torch", "may not import torch"),
    "leaderboard/tables.py": ("from qipo_ray.data import load", "may not import qipo_ray.data"),
    "store/files.py": ("import qipo_ray.data", "may not import qipo_ray.data"),
    "data/tasks.py": ("import numpy as np", "may not import numpy"),
    "data/__init__.py": ("from qipo_ray.data import tasks", "imports something"),
    "evaluation/gym.py": ("import gymnasium", "imports gymnasium outside of a function"),
    "cli/options/train.py": ("import torch", "imports torch, which `--help` would wait for"),
    "cli/verbs.py": ("from qipo_ray.cli import output", "imports qipo_ray.cli.output, which"),
    "cli/train.py": ("def f():\n    import torch", "imports torch elsewhere than at its top"),
    "cli/data.py": (
        "def f():\n    from qipo_ray.train import jobs", "imports qipo_ray.train.jobs elsewhere"
    ),
    "train/__main__.py": ("from qipo_ray.cli import main", "may not import qipo_ray.cli.main"),
    "evaluate.py": ("import sys", "a room that the table does not know"),
    "__init__.py": ("from qipo_ray.deploy import inference", "may not import qipo_ray.deploy"),
    "errors.py": ("from qipo_ray.config import Config", "may not import qipo_ray.config"),
    "plugins/extra.py": ("", "a room that the table does not know"),
    "config.py": ("x = 1\n" * MAX_LINES, f"{MAX_LINES + 1} lines"),
    "sweep/space.py": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from qipo_ray.cli import main",
        "may not import qipo_ray.cli.main",
    ),
}  # fmt: skip


def _plant(root: Path, name: str, source: str) -> None:
    path = root / "qipo_ray" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source + "\n", encoding="utf-8")


@pytest.mark.parametrize("name", BROKEN)
def test_each_broken_rule_is_found(tmp_path: Path, name: str) -> None:
    source, expected = BROKEN[name]
    _plant(tmp_path, name, source)
    found = faults(tmp_path)
    assert len(found) == 1, found
    assert expected in found[0]
    assert found[0].startswith(f"qipo_ray/{name.split('/')[0].removesuffix('.py')}")


def test_allowed_arrows_pass(tmp_path: Path) -> None:
    good = {
        "__init__.py": 'def f():\n    from qipo_ray.deploy import inference',
        "errors.py": "import difflib",
        "agent/policy.py": "import torch\nfrom qipo_ray.data.transitions import Transitions",
        "evaluation/gym.py": "def f():\n    import gymnasium",
        "leaderboard/rows.py": "from qipo_ray.data import tasks\nfrom . import tables",
        "__main__.py": "from qipo_ray.cli.main import main",
        "leaderboard/__main__.py": "import runpy",
        "cli/options/train.py": "import typer\nfrom qipo_ray.errors import UserError",
        "cli/train.py": "import torch\nfrom qipo_ray.train import engine",
        "sweep/trial.py": "import ray, optuna\nfrom qipo_ray.version import __version__",
        "data/__init__.py": "from __future__ import annotations",
    }  # fmt: skip
    for name, source in good.items():
        _plant(tmp_path, name, source)
    assert faults(tmp_path) == []

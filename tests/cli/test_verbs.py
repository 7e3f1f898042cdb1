"""The table of verbs: options and work agree, and no help waits for what does the work."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints

import pytest

from qipo_ray.cli.lazy import load
from qipo_ray.cli.main import main
from qipo_ray.cli.verbs import BenchVerbs, DataVerbs, JobVerbs, MethodVerbs, Verbs

TABLE = [
    *((name, path) for name, path in Verbs.verbs.items()),
    *((f"data {name}", path) for name, path in DataVerbs.verbs.items()),
    *((f"job {name}", path) for name, path in JobVerbs.verbs.items()),
    *((f"method {name}", path) for name, path in MethodVerbs.verbs.items()),
    *((f"bench {name}", path) for name, path in BenchVerbs.verbs.items()),
]
# Verbs that print no table: they write a file, or print a command or a configuration.
WITHOUT_TABLE = {
    "export",
    "best",
    "report",
    "reproduce",
    "schema",
    "stop",
    "submit",
    "data get",
    "data import",
    "data make",
    "job logs",
    "job stop",
}
OF_A_RECORD = {"evaluate", "export", "reproduce"}
HEAVY = {"gymnasium", "h5py", "matplotlib", "mujoco", "numpy", "optuna", "ray", "torch", "yaml"}
ROOMS_OF_HELP = {f"qipo_ray{name}" for name in ("", ".cli", ".cores", ".errors", ".version")}


@pytest.mark.parametrize(("verb", "path"), TABLE)
def test_what_does_the_work_takes_the_options_of_the_verb(verb: str, path: str) -> None:
    options = load(path)
    types = get_type_hints(options)
    assert types.pop("return") is str
    for value in (False, True):  # an option may choose who does the work
        work = load(options(**dict.fromkeys(types, value)))
        taken = get_type_hints(work)
        assert taken.pop("return") is type(None)
        parameters = inspect.signature(work).parameters.values()
        rest = [p.name for p in parameters if p.kind is p.VAR_KEYWORD]
        for name in rest:
            del taken[name]
        assert taken.items() <= types.items() if rest else taken == types
        assert all(p.default is p.empty for p in parameters)  # defaults stand with the options


def test_every_table_is_also_json_and_every_record_may_be_the_best() -> None:
    options = {verb: get_type_hints(load(path)).keys() for verb, path in TABLE}
    assert {verb for verb in options if "json" not in options[verb]} == WITHOUT_TABLE
    best = {verb for verb in options if {"best", "task", "method"} <= options[verb]}
    assert best == OF_A_RECORD


@pytest.mark.slow
def test_no_help_imports_what_does_the_work() -> None:
    lines = [[], ["data"], ["job"], ["method"], ["bench"], *(verb.split() for verb, _ in TABLE)]
    code = f"""
import sys
from qipo_ray.cli.main import main
assert all(main([*line, "--help"]) == 0 for line in {lines})
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = done.stdout.splitlines()[-1].split()
    assert HEAVY.isdisjoint(modules)
    rooms = {".".join(name.split(".")[:2]) for name in modules if name.startswith("qipo_ray")}
    assert rooms == ROOMS_OF_HELP
    assert not {"qipo_ray.cli.train", "qipo_ray.cli.output"} & set(modules)


def test_the_version_imports_no_verb() -> None:
    code = "import sys, qipo_ray.cli.main as m; m.main(['--version']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "qipo_ray.cli.options" not in done.stdout


@pytest.mark.parametrize(
    "name", ["artefacts", "driver", "programs", "ray", "records", "tensorboard", "wandb"]
)
def test_a_sweep_is_not_named_as_a_folder_of_results(
    name: str, write_file: Callable[[], Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = write_file()
    file.write_text(file.read_text().replace("name: ", f"name: {name}  # ", 1))
    results = tmp_path / "results"
    assert main(["sweep", str(file), "--results", str(results)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(
        f"error: {file}: name: '{name}' is the name of a folder inside results"
    )
    assert not results.exists()

"""Every test session: one thread, a private home; and records for the rooms that read them."""

from __future__ import annotations

import hashlib
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.store.records import new_id

# Before torch, numpy or Ray are imported: threads are counted, and Ray's authentication mode is
# read, only once. With the mode unset Ray would write a token into the home folder.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["COLUMNS"] = "100"
os.environ["NO_COLOR"] = "1"


pytest_plugins = ["fixtures.search_files", "fixtures.tiny_runs"]

Record = dict[str, Any]


@pytest.fixture(scope="session", autouse=True)
def private_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Point HOME and the data caches into the session's temporary folder."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
        patch.setenv("MPLCONFIGDIR", str(home / ".matplotlib"))
        patch.setenv("QIPO_DATA", str(home / "qipo-data"))
        patch.setenv("D4RL_DATASET_DIR", str(home / "d4rl-datasets"))
        patch.delenv("QIPO_RESULTS", raising=False)
        # What processes leave when they are killed goes, too. A short path: Ray's sockets need it.
        with tempfile.TemporaryDirectory(prefix="qipo", ignore_cleanup_errors=True) as temporary:
            patch.setenv("TMPDIR", temporary)
            patch.setattr(tempfile, "tempdir", None)
            yield


def _score(normalised: float, episodes: int = 100, updates: int = 3000) -> dict[str, Any]:
    return {
        "updates": updates,
        "episodes": episodes,
        "mean": normalised * 2.0,
        "std": 11.0,
        "normalised": normalised,
        "success": None,
    }


def _build(
    last: float | None,
    *,
    seed: int = 0,
    cloning: float | None = 10.0,
    best: float | None = None,
    data: float | None = 5.0,
    path: str = "ot",
    departures: tuple[str, ...] = (),
    name: str | None = None,
    beta: float = 3.0,
    width: int = 128,
    task: str = "maze2d-umaze",
    source: str = "generated",
    sha256: str = "a" * 64,
    state: str = "finished",
    purpose: str = "single",
    sweep: str = "one",
    attempt: int = 1,
    **protocol: Any,
) -> Record:
    config = {
        "data": {"reward": "paper", "observations": "raw"},
        "behaviour": {"path": path, "width": width},
        "sampler": {"solver": "auto", "evaluations": 10, "clip": True},
        "policy": {"beta": beta, "switches": list(departures)},
    }
    config_hash = hashlib.sha256(repr(config).encode()).hexdigest()[:16]
    return {
        "schema": 1,
        "id": new_id(sweep, purpose, task, config_hash, seed),
        "sweep": sweep,
        "trial": None,
        "purpose": purpose,
        "task": task,
        "seed": seed,
        "state": state,
        "reason": "as asked" if state in ("diverged", "failed") else None,
        "attempt": attempt,
        "config": config,
        "config_hash": config_hash,
        "label": {
            "method": {"ot": "QIPO-OT", "vp": "QIPO-Diff"}[path],
            "departures": list(departures),
            "name": name,
        },
        "jobs": {"behaviour": "b" * 16, "critic": "c" * 16, "policy": "d" * 16},
        "reached": {"updates": 3000, "rung": None},
        "scores": [],
        "final": {
            "last": None if last is None else _score(last),
            "last3": last,
            "best": None if best is None else _score(best, episodes=20),
            "action_latency_ms": None,
        },
        "behaviour_cloning": None if cloning is None else _score(cloning),
        "protocol": {
            "episodes": 100,
            "env_seeds": "1001..1100",
            "sampler": {"ot": "midpoint", "vp": "dpmpp_2m"}[path],
            "steps": 10,
            "best_of": 1,
            "clip": True,
            "selection_episodes": 0,
        }
        | protocol,
        "data": {
            "task": task,
            "source": source,
            "sha256": sha256,
            "rows": 1000,
            "notes": [],
            "score": None if data is None else {"mean": 1.0, "normalised": data, "episodes": 7},
        },
        "cost": {"wall_s": 1.0, "device_s": 1.0, "updates_per_s": 1.0, "reused_s": 0.0},
        "provenance": {
            "version": "0.1.0",
            "commit": None,
            "dirty": None,
            "packages": {},
            "python": "3.11.0",
            "hardware": {},
            "command": "qipo-ray train",
            "started": "2026-01-01T00:00:00+00:00",
            "ended": "2026-01-01T00:04:00+00:00",
        },
        "pack": {"size": 1, "composition": ["d" * 16]},
    }


def build_records(tasks: Sequence[str], configs: int, seeds: int, **more: Any) -> list[Record]:
    """Return confirmed runs of every task, configuration and seed; equal arguments, equal runs.

    The benchmarks of the leaderboard use it too. Configurations differ in beta, path and score.
    """
    dice = random.Random(0)
    records = []
    for task in tasks:
        level = dice.uniform(0, 60)
        for number in range(configs):
            skill = dice.gauss(20, 10)
            for seed in range(100, 100 + seeds):
                last, cloning = level + skill + dice.gauss(0, 5), level + dice.gauss(0, 5)
                curve = [
                    _score(cloning + (last - cloning) * updates / 3000, 10, updates)
                    for updates in (600, 1200, 1800, 2400)
                ]
                given = {
                    "seed": seed,
                    "cloning": cloning,
                    "data": level,
                    "best": last + abs(dice.gauss(0, 3)),
                    "path": ("ot", "vp")[number % 2],
                    "departures": ("clipped-actions",),
                    "name": f"search, best {number // 2 + 1}",
                    "beta": float(number),
                    "task": task,
                    "purpose": "confirm",
                    "sha256": hashlib.sha256(task.encode()).hexdigest(),
                    "selection_episodes": 40 * configs,
                } | more
                record = _build(last, **given)
                record["scores"] = [*curve, _score(last)]
                record["final"]["action_latency_ms"] = 0.2 + dice.random() * (1 + number % 5)
                record["cost"]["device_s"] = 30 + dice.random() * (1 + number % 7) * 30
                records.append(record)
    return records


@pytest.fixture
def make_records() -> Callable[..., list[Record]]:
    """A function that makes many records: of tasks, a number of configurations, of seeds."""
    return build_records


@pytest.fixture(scope="session")
def make_record() -> Callable[..., Record]:
    """A function that makes a record like those of the store; keywords change what matters."""
    return _build


TINY = (
    "behaviour.width=16", "behaviour.updates=60", "critic.width=16", "critic.updates=40",
    "critic.returns_updates=40", "policy.rounds=1", "policy.renew_every=60", "policy.pool=100",
    "sampler.evaluations=4", "evaluation.final_episodes=6", "evaluation.episodes=3",
)  # fmt: skip


@pytest.fixture(scope="session")
def train_point(private_home: None) -> Callable[..., Path]:
    """A function that trains tiny runs of `point` into a results folder, and returns it."""
    from qipo_ray.cli.main import main

    def train(folder: Path, *changes: str, seeds: str = "0") -> Path:
        sets = [part for change in (*TINY, *changes) for part in ("--set", change)]
        line = ["train", "--task", "point", "--results", str(folder), "--seeds", seeds]
        assert main([*line, "--jobs", "1", *sets]) == 0
        return folder

    return train


@pytest.fixture(scope="session")
def point_run(train_point: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with one finished run of `point`; to be read, not changed."""
    return train_point(tmp_path_factory.mktemp("point") / "R")

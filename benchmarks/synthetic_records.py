"""Synthetic records, valid and without any training: for the benchmarks, and for the tests."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import Any

from qipo_ray.data.tasks import physics
from qipo_ray.store.records import new_id

Record = dict[str, Any]


def make_score(normalised: float, episodes: int = 100, updates: int = 3000) -> dict[str, Any]:
    """Return a score, in per cent, after ``updates`` updates and over ``episodes`` episodes."""
    return {
        "updates": updates,
        "episodes": episodes,
        "mean": normalised * 2.0,
        "std": 11.0,
        "normalised": normalised,
        "success": None,
    }


def make_record(
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
    """Return a record like those of the store; ``last`` is its score, None if it has none."""
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
            "last": None if last is None else make_score(last),
            "last3": last,
            "best": None if best is None else make_score(best, episodes=20),
            "action_latency_ms": None,
        },
        "behaviour_cloning": None if cloning is None else make_score(cloning),
        "protocol": {
            "episodes": 100,
            "env_seeds": "1001..1100",
            "sampler": {"ot": "midpoint", "vp": "dpmpp_2m"}[path],
            "steps": 10,
            "best_of": 1,
            "clip": True,
            "selection_episodes": 0,
            **({} if physics(task) == 1 else {"physics": physics(task)}),
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


def make_records(tasks: Sequence[str], configs: int, seeds: int, **more: Any) -> list[Record]:
    """Return confirmed runs of every task, configuration and seed; equal arguments, equal runs.

    Configurations differ in beta, path and score. ``more`` are arguments of ``make_record``.
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
                    make_score(cloning + (last - cloning) * updates / 3000, 10, updates)
                    for updates in (600, 1200, 1800, 2400)
                ]
                arguments = {
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
                record = make_record(last, **arguments)
                record["scores"] = [*curve, make_score(last)]
                record["final"]["action_latency_ms"] = 0.2 + dice.random() * (1 + number % 5)
                record["cost"]["device_s"] = 30 + dice.random() * (1 + number % 7) * 30
                records.append(record)
    return records

"""What a search costs beside training: trials that train nothing, by step and by how many were.

    python benchmarks/search_overhead.py [--trials 1000] [--json FILE]

The driver's own steps in this process, with all that is written: a new trial (the next
configuration and its intent), its first rung (log and stopping rule), its end (record and study).
Prints CPU milliseconds per trial, in tenths of the search: a step that grows shows here.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from qipo_ray.data.load import load
from qipo_ray.evaluation.generate import generate
from qipo_ray.study.search_file import load_search_file
from qipo_ray.study.trial import TrialOutcome, TrialState
from qipo_ray.sweep.search_state import SearchState
from qipo_ray.train.run_record import RunContext

SPACE = """\
name: thin
tasks: [point]
preset: quickstart
space:
  policy.beta: {loguniform: [0.5, 20]}
  behaviour.learning_rate: {loguniform: [1e-4, 1e-2]}
trials: 10
seeds: {search: [0], report: [100]}
"""
CONTEXT = RunContext("thin", None, "search", None, "benchmark", "2026-01-01T00:00:00+00:00")
Result = TypeVar("Result")


def timed(seconds: list[float], act: Callable[..., Result], *arguments: object) -> Result:
    """Return what a call returns; its CPU seconds are added to ``seconds``."""
    began = time.process_time()
    result = act(*arguments)
    seconds.append(time.process_time() - began)
    return result


def search_of(space: Path, trials: int, root: Path) -> SearchState:
    """Return a fresh search on generated data."""
    spec = replace(load_search_file(space), trials=trials)
    data = load("point", generate("point", root / "point.hdf5", rows=2000))
    return SearchState(spec, root / "results", 1, {"point": data}, CONTEXT, lambda line: None)


def run(search: SearchState) -> dict[str, list[float]]:
    """Return the CPU seconds of each step, trial by trial."""
    asked, decided, ended = list[float](), list[float](), list[float]()
    while (trial := timed(asked, search.next_trial)) is not None:
        value = float(len(search.trials) * 7919 % 1000)
        timed(decided, search.at_rung, trial, 0, trial.rungs[0], value)
        outcome = TrialOutcome(TrialState.FAILED, 0, "trains nothing")
        timed(ended, search.end_trial, trial, outcome)
    return {"new trial": asked[:-1], "rung": decided, "end": ended}


def main() -> None:
    """Measure, print the table, and write every trial's seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        space = Path(folder) / "thin.yaml"
        space.write_text(SPACE)
        steps = run(search_of(space, chosen.trials, Path(folder)))
    tenth = max(1, chosen.trials // 10)
    for name, seconds in steps.items():
        parts = [seconds[i : i + tenth] for i in range(0, len(seconds), tenth)]
        print(f"{name:9}", " ".join(f"{1000 * statistics.median(part):7.2f}" for part in parts))
    whole = sum(map(sum, steps.values())) / len(steps["rung"])
    print(f"{1000 * whole:.2f} CPU ms per trial of {len(steps['rung']):,}, all steps")
    if chosen.json:
        chosen.json.write_text(json.dumps(steps, indent=1) + "\n")


if __name__ == "__main__":
    main()

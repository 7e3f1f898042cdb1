"""``qipo-ray best``: the best configuration of a results folder, to be trained again."""

from __future__ import annotations

from pathlib import Path

from qipo_ray.cli import output as out
from qipo_ray.leaderboard.best import best_file, best_records
from qipo_ray.leaderboard.board import records_below


def best(results: Path, task: str | None, method: str | None) -> None:
    """Print the configuration as YAML, with its score in a comment."""
    out.write(best_file(best_records(records_below([results]), results, task, method)).rstrip())

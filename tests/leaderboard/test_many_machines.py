"""Machines without a server: each drives a sweep of its own below one root, and tables merge."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.errors import UserError
from qipo_ray.leaderboard import leaderboard
from qipo_ray.store.lease import Lease
from qipo_ray.store.records import write_record

TASKS = {"alpha": "hopper-medium-v2", "beta": "walker2d-medium-v2", "gamma": "antmaze-umaze-v2"}


@pytest.fixture
def root(tmp_path: Path, make_record: Callable[..., dict[str, Any]]) -> Path:
    """Three machines at work at once on one search file, each on a task of its own."""
    leases = [Lease.take(tmp_path / machine / "paper") for machine in TASKS]
    for seed in range(100, 105):
        for number, (machine, task) in enumerate(TASKS.items()):
            record = make_record(
                10.0 * number + seed - 100, seed=seed, task=task, sweep="paper",
                purpose="confirm", source="d4rl", sha256=f"{number}" * 64,
            )  # fmt: skip
            write_record(tmp_path / machine / "paper", record)
    for lease in leases:
        lease.release()
    return tmp_path


def test_the_root_holds_every_run_once(root: Path) -> None:
    board = leaderboard([root])
    assert len(board.records) == 15 and board.left_out == {}
    means = {row.method.task: row.last.mean for row in board.rows if row.method.kind == "run"}
    assert means == {task: 10.0 * number + 2 for number, task in enumerate(TASKS.values())}


def test_a_copy_of_a_machines_folder_changes_no_number(root: Path) -> None:
    """As a backup or a synchronised folder leaves it, also one that is half way."""
    before = leaderboard([root])
    shutil.copytree(root / "alpha", root / "backup")
    both = leaderboard([root])
    assert both.tables == before.tables and both.left_out == {"copy": 5}
    half = root / "backup" / "paper" / "records"
    for path in sorted(half.iterdir())[::2]:
        path.write_bytes(path.read_bytes()[:99])
    (half / ".0123456789abcdef.json.XyZ123").write_text("{")  # of a copy in progress
    both = leaderboard([root])
    assert both.tables == before.tables and both.left_out == {"copy": 2}


def test_a_run_that_two_machines_made_counts_once(
    root: Path, make_record: Callable[..., dict[str, Any]]
) -> None:
    """The same run has the same id; the clocks in its record differ."""
    again = make_record(
        0.0, seed=100, task=TASKS["alpha"], sweep="paper", purpose="confirm", source="d4rl",
        sha256="0" * 64,
    )  # fmt: skip
    again["cost"]["wall_s"] = 99.0
    write_record(root / "delta" / "paper", again)
    board = leaderboard([root])
    (row,) = [row for row in board.rows if row.method.task == TASKS["alpha"] and row.gain]
    assert len(board.records) == 15 and row.seeds == (100, 101, 102, 103, 104)
    assert row.repeats == 0 and row.last.mean == 2.0


def test_one_folder_has_one_driver(root: Path) -> None:
    lease = Lease.take(root / "alpha" / "paper")
    with pytest.raises(UserError, match="is driven by process"):
        Lease.take(root / "alpha" / "paper")
    lease.release()

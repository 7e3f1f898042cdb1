from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray import __version__
from qipo_ray.errors import UserError
from qipo_ray.leaderboard import from_records, leaderboard
from qipo_ray.leaderboard.tables import Table
from qipo_ray.store.records import write_record

Build = Callable[..., dict[str, Any]]


def test_scores_of_an_earlier_simulator_are_told_from_todays(make_record: Build) -> None:
    """Those of a simulator that never changed have no number, then and now."""
    old, other = make_record(10.0, data=None, cloning=None), make_record(20.0, physics=3)
    assert old["protocol"].pop("physics")
    new, cheetah = (
        make_record(score, task=task, data=None, cloning=None, sweep="two")
        for score, task in ((30.0, "maze2d-umaze"), (40.0, "halfcheetah-medium"))
    )
    assert "physics" not in cheetah["protocol"]
    text = from_records([old, other, new, cheetah]).document("csv")
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["method"] == "QIPO-OT"]
    assert {(row["data"], row["last_mean"]) for row in rows if row["table"] == "task"} == {
        ("generated", "40.0"),
        ("generated", "30.0"),
        ("generated, physics 1", "10.0"),
        ("generated, physics 3", "20.0"),
    }


GOLDEN = """\
# Leaderboard

## Data source: generated

D4RL-normalised score: 0 and 100 are the task's two reference returns, more is better. \
Last checkpoint, mean ± sample standard deviation over training seeds (0, 1). Protocol: 100 \
episodes per run, environment seeds 1001..1100, one action per state, clipped to \\[-1, 1\\].

| task | method | configuration | departures | score (last) | gain | best (optimistic) | seeds \
| data file | episodes | sampler | evaluations per action | selection episodes |
| --- | --- | --- | --- | ---: | ---: | ---: | --- | --- | --- | --- | --- | --- |
| maze2d-umaze | data | – | – | 5.0 | – | – | – | aaaaaaaa | 7 | – | – | – |
| maze2d-umaze | behaviour cloning (OT) | CLONING | – | 15.0 ± 7.1 \\[10.0, 20.0\\] | – | – | 2 \
| aaaaaaaa | 100 | midpoint | 10 | – |
| maze2d-umaze | QIPO-OT | quickstart | layer-norm, loss-actions=2 \
| **50.0 ± 14.1 \\[40.0, 60.0\\]** | +35.0 ± 7.1 | 65.0 ± 7.1 | 2 | aaaaaaaa | 100 | midpoint \
| 10 | 0 |

- Bold: inside the 95 % interval of the best of its task; nothing is, where the best has a single \
seed and so no interval. Intervals, in brackets, are bootstraps over training seeds; below five \
seeds they are too narrow.
- Gain: score minus that of behaviour cloning in the same run, per seed.
- Best: the highest evaluation of each run (20 episodes), picked on the very score it shows: \
optimistic, not to be compared with other tables.
- Generated data: not comparable with published scores on D4RL's own files.

- Left out: 1 partly trained or failed run (1 diverged).
- Left out: 1 search run; searching is not reporting.
"""


def cells(table: Table, key: str) -> set[object]:
    """The different cells of a column."""
    place = [column.key for column in table.columns].index(key)
    return {row[place] for row in table.rows}


def two_seeds(make_record: Build, **more: Any) -> list[dict[str, Any]]:
    return [
        make_record(40.0, seed=0, cloning=10.0, best=60.0, **more),
        make_record(60.0, seed=1, cloning=20.0, best=70.0, **more),
    ]


def test_the_whole_markdown(make_record: Build) -> None:
    switches = {"departures": ("layer-norm", "loss-actions=2"), "name": "quickstart"}
    board = from_records(
        [
            *two_seeds(make_record, **switches),
            make_record(None, seed=2, state="diverged"),
            make_record(99.0, seed=3, purpose="search"),
        ]
    )
    config = {row.method.kind: (row.method.config or "")[:8] for row in board.rows}
    assert board.document("md") == GOLDEN.replace("CLONING", config["cloning"])


def test_sources_share_no_table_and_stand_in_the_csv(make_record: Build) -> None:
    board = from_records(
        [
            *two_seeds(make_record),
            *two_seeds(make_record, source="d4rl", sha256="d" * 64, task="maze2d-umaze-v1"),
        ]
    )
    assert [table.source for table in board.tables] == ["d4rl", "generated"]
    assert all(cells(table, "source") == {table.source} for table in board.tables)
    rows = list(csv.DictReader(io.StringIO(board.document("csv"))))
    assert len(rows) == 6
    assert all(row["data"] == row["source"] and row["last_mean"] for row in rows)
    assert "not comparable" not in board.tables[0].notes[-1]


def test_protocols_share_no_table(make_record: Build) -> None:
    board = from_records([make_record(40.0), make_record(60.0, seed=1, episodes=10)])
    assert [table.caption.count("Protocol: 10 episodes") for table in board.tables] == [1, 0]


def test_two_files_of_one_task_are_told_apart(make_record: Build) -> None:
    board = from_records(
        [make_record(40.0), make_record(60.0, seed=1, sha256="b" * 64, data=None)]
    )
    assert cells(board.tables[0], "file") == {"aaaaaaaa", "bbbbbbbb"}
    assert "2 data files" in board.tables[0].notes[-1]


def test_repeats_and_copies_are_said(make_record: Build) -> None:
    twice = [make_record(40.0), make_record(50.0, sweep="again"), make_record(40.0)]
    text = from_records(twice).document("md")
    assert "1 further run of a seed that has one" in text
    assert "Left out: 1 copied record, recognised by id and data." in text
    text = from_records([*twice, make_record(41.0, attempt=2)]).document("md")
    assert "Left out: 2 earlier attempts at a run, with other numbers than the highest" in text


def test_json(make_record: Build) -> None:
    records = [*two_seeds(make_record), make_record(None, seed=9, state="failed")]
    document = json.loads(from_records(records).document("json"))
    assert (document["schema"], document["version"]) == (4, __version__)
    assert document["records"] == sorted(record["id"] for record in records)
    (table,) = document["tables"]
    assert table["rows"][2]["last"] == {
        "mean": 50.0,
        "std": pytest.approx(200**0.5),
        "low": 40.0,
        "high": 60.0,
        "seeds": 2,
        "bold": True,
    }
    assert table["rows"][2]["seed_list"] == "0 1"


def test_nothing_to_report(make_record: Build) -> None:
    text = from_records([make_record(None, state="failed")]).document("md")
    assert "No finished run to report." in text
    assert "(1 failed)" in text


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere: no such folder"):
        leaderboard([tmp_path / "nowhere"])
    with pytest.raises(UserError, match="no records"):
        leaderboard([tmp_path])


def test_records_are_read_below_every_root(tmp_path: Path, make_record: Build) -> None:
    first, second = two_seeds(make_record)
    for folder, one in (("a/run", first), ("b", second), ("c/run", second)):
        write_record(tmp_path / folder, one)
    board = leaderboard([tmp_path / "a", tmp_path / "b", tmp_path / "c"])
    assert board.rows[-1].last.mean == 50.0
    assert board.left_out == {"copy": 1}


@pytest.mark.slow
def test_tables_need_neither_torch_nor_ray() -> None:
    code = (
        "import sys, qipo_ray.leaderboard;"
        "print([m for m in ('torch', 'ray', 'h5py', 'gymnasium') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

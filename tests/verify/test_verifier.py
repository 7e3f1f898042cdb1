"""What `verify` says as a whole: of a sound sweep, an unfinished one, one that runs, and none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.errors import UserError
from qipo_ray.store.files import sealed, unsealed
from qipo_ray.store.lease import Lease
from qipo_ray.store.records import read_records, write_record
from qipo_ray.verify import verify

Faults = Callable[[Path], list[tuple[str, str]]]


def bytes_below(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_whole_sweep_has_nothing_wrong_and_is_left_as_it_is(root: Path) -> None:
    before = bytes_below(root)
    verdict = verify(root)
    assert verdict.faults == () and verdict.remarks == ()
    assert verdict.counts == {
        "finished": 10, "pruned": 2, "diverged": 0, "failed": 0,
        "interrupted": 0, "never started": 0,
    }  # fmt: skip
    assert verdict.planned == 4 * 2 + 2 * 2
    assert verdict.files == len(list(root.glob("artefacts/*/*.pt"))) and verdict.bytes > 0
    assert bytes_below(root) == before
    assert json.loads(json.dumps(verdict.document()))["driver"] is None


def test_a_sweep_that_was_killed_in_a_line_of_its_log_is_not_wrong(
    tmp_path: Path, open_books: Callable[[Path], Any]
) -> None:
    made = open_books(tmp_path / "books")
    made.search(3.0, [5.0, 6.0])
    made.intend(20.0)
    with open(made.root / "rungs.jsonl", "ab") as file:
        file.write(b'{"at":"2026-01-')
    verdict = verify(made.root)
    assert verdict.faults == () and "has no end" in verdict.remarks[0].what


def test_while_a_driver_is_at_work_its_name_is_told_and_tables_are_not_judged(root: Path) -> None:
    table = root / "leaderboard" / "leaderboard.md"
    table.write_text(table.read_text().replace("135.5", "139.5"))
    lease = Lease.take(root)
    verdict = verify(root)
    assert verdict.driver == str(lease.holder) and "process" in verdict.driver
    assert verdict.faults == () and "not what the records give" in verdict.remarks[0].what
    lease.release()
    verdict = verify(root)
    assert verdict.driver is None and len(verdict.faults) == 1


def test_a_configuration_of_another_version_is_a_fault_in_a_sweep_of_this_one(
    root: Path, faults: Faults
) -> None:
    """The sweep's own settings are of this version, so its trials' must be."""
    path = next((root / "trials").glob("*.json"))
    intent = unsealed(path.read_bytes())
    del intent["config"]["policy"]["beta"]
    path.write_bytes(sealed(intent))
    assert ("its configuration: missing key 'policy.beta'") in dict(faults(root))[
        f"trials/{path.name}"
    ]


def test_what_was_set_aside_is_a_remark(root: Path) -> None:
    (root / "records" / "0123456789abcdef.json.corrupt").write_text("x")
    verdict = verify(root)
    assert verdict.faults == () and verdict.remarks[0].what == "set aside as damaged"


def test_records_in_another_folder_are_found(root: Path, faults: Faults) -> None:
    """Tables would take them in."""
    (root / "old" / "records").mkdir(parents=True)
    record = read_records(root)[0] | {"seed": 7}
    (root / "old" / "records" / f"{record['id']}.json").write_bytes(sealed(record))
    ((place, what),) = faults(root)
    assert place == f"old/records/{record['id']}.json" and "outside of records/" in what


def test_results_without_a_specification_are_judged_by_themselves(
    tmp_path: Path, make_record: Callable[..., dict[str, Any]]
) -> None:
    for seed in range(3):
        record = make_record(1.0, seed=seed, best=1.0)
        record["scores"] = [record["final"]["last"]]
        record["final"]["best"] = record["final"]["last"]
        write_record(tmp_path, record)
    verdict = verify(tmp_path)
    assert verdict.counts is None and verdict.faults == ()
    remark, other = verdict.remarks
    assert "its configuration: " in remark.what  # of a test: not a whole one
    assert remark.what.endswith("(and that of 2 other records)") and "no weights" in other.what
    path = next((tmp_path / "records").glob("*.json"))
    record = unsealed(path.read_bytes())
    record["final"]["last"]["normalised"] = 2.0
    path.write_bytes(sealed(record))
    (fault,) = verify(tmp_path).faults
    assert fault.what == "final.last: 2.0 at 3000 updates, not 1.0 at 3000 updates"


def test_a_folder_of_sweeps_is_refused_with_their_names(root: Path) -> None:
    with pytest.raises(UserError, match=f"no sweep; expected .*; there are {root}"):
        verify(root.parent)
    with pytest.raises(UserError, match="no sweep"):
        verify(root / "sweep.yaml")
    with pytest.raises(UserError, match="no sweep"):
        verify(root / "not there")

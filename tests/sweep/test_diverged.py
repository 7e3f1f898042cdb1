"""A trial that really diverges: it ends with a reason, the search is told FAIL, no retry."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from fixtures.fault_counts import CountFaults, scaled
from optuna.trial import FrozenTrial

from qipo_ray.cli.main import main
from qipo_ray.store.records import read_records
from qipo_ray.store.rung_log import RungLog
from qipo_ray.verify import verify

RATE = "policy.learning_rate"
# So deep that a rate of 1 leads out of float32, but not in the three updates to the first rung.
CHANGES = {"behaviour.updates": 200, "behaviour.blocks": 8, "policy.rounds": 1}
SHARES = ["1/50", "1/3", 1]


@pytest.fixture
def sweep(without_report: None, tiny_search: str, tmp_path: Path) -> Callable[..., Path]:
    """Run the command; return the sweep's folder. All but the first and last trials diverge."""
    file = yaml.safe_load(tiny_search)
    del file["paper"]
    file["set"] |= CHANGES

    def run(poisoned: int = 1, shares: Sequence[str | int] = SHARES) -> Path:
        rates = [1e-3, *(1.0 - number / 1000 for number in range(poisoned)), 2e-3]
        file["space"] = {RATE: {"grid": rates}}
        file.update(trials=len(rates), rungs={"shares": list(shares), "reduction": 3})
        (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(file))
        options = ["--executor", "local", "--results", str(tmp_path)]
        assert main(["sweep", str(tmp_path / "tiny.yaml"), *options]) == 0
        return tmp_path / "tiny"

    return run


def told(root: Path) -> list[FrozenTrial]:
    """Return what Optuna was told, by the journal that views it."""
    file = optuna.storages.journal.JournalFileBackend(str(root / "study" / "point.journal"))
    return optuna.load_study(
        study_name="tiny point", storage=optuna.storages.JournalStorage(file)
    ).trials


def end(record: dict[str, Any]) -> list[Any]:
    return [record[name] for name in ("id", "state", "reason", "reached", "scores")]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.slow
def test_a_diverged_trial_fails_once_and_harms_no_other(
    sweep: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = sweep()
    records = [record for record in read_records(root) if record["purpose"] == "search"]
    (diverged,) = (record for record in records if record["state"] == "diverged")
    others = [record for record in records if record is not diverged]
    assert diverged["config"]["policy"]["learning_rate"] == 1
    assert diverged["reason"].startswith("policy ") and "finite" in diverged["reason"]
    assert diverged["reached"] == {"updates": 3, "rung": 0} and diverged["final"]["last"] is None
    assert sorted(record["state"] for record in others) == ["finished", "pruned"]
    assert {record["jobs"]["behaviour"] for record in records} == {diverged["jobs"]["behaviour"]}

    first = told(root)
    assert [trial.state.name for trial in first] == ["COMPLETE", "FAIL", "PRUNED"]
    assert first[1].params == {RATE: 1.0} and first[1].value is None
    assert list(first[1].intermediate_values) == [0]

    # The same command again, as after a kill that cost another its policy and record.
    record, log = root / "records" / f"{diverged['id']}.json", RungLog(root / "rungs.jsonl")
    written, rungs = record.read_bytes(), log.read()
    folder = root / "artefacts" / f"policy-{diverged['jobs']['policy']}"
    trained = contents(folder)
    assert [name for name in trained if name.startswith("attempt-")] == ["attempt-000001"]
    lost = next(record for record in others if record["state"] == "finished")
    (root / "records" / f"{lost['id']}.json").unlink()
    shutil.rmtree(root / "artefacts" / f"policy-{lost['jobs']['policy']}")
    assert capsys.readouterr().err.count("DIVERGED") == 1
    sweep()
    assert "DIVERGED" not in capsys.readouterr().err and record.read_bytes() == written

    # And as after a kill before its record was written: it ends as it did, without training.
    record.unlink()
    sweep()
    assert capsys.readouterr().err.count("DIVERGED") == 1
    assert contents(folder) == trained and log.read() == rungs
    again = [record for record in read_records(root) if record["purpose"] == "search"]
    assert list(map(end, again)) == list(map(end, records))
    assert [trial.state for trial in told(root)] == [trial.state for trial in first]
    assert verify(root).faults == ()


@pytest.mark.faults
def test_poisoned_trials_are_marked_and_never_ranked(
    sweep: Callable[..., Path], count_faults: CountFaults
) -> None:
    poisoned = scaled(20)
    root = sweep(poisoned, [1])  # none is stopped before it diverges
    records = read_records(root)
    diverged = [record for record in records if record["state"] == "diverged"]
    assert len(diverged) == poisoned
    assert all(record["config"]["policy"]["learning_rate"] > 0.9 for record in diverged)
    assert all(record["reason"].startswith("policy ") for record in diverged)
    best = [record for record in records if record["label"]["name"] == "search, best"]
    assert best and all(record["config"]["policy"]["learning_rate"] < 0.9 for record in best)
    assert verify(root).faults == ()
    count_faults("poisoned run", poisoned)

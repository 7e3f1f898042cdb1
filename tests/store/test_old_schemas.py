"""Records as earlier versions wrote them: real files, kept as they were, must stay readable."""

from __future__ import annotations

from pathlib import Path

import pytest

from qipo_ray.leaderboard import from_records
from qipo_ray.store.records import SCHEMA, read_records

FIXTURES = Path(__file__).parent / "fixtures"


def test_every_schema_has_its_fixtures() -> None:
    kept = {folder.name for folder in FIXTURES.iterdir()}
    assert kept == {f"schema-{number}" for number in range(1, SCHEMA + 1)}


def test_records_of_schema_1(caplog: pytest.LogCaptureFixture) -> None:
    """Of the quickstart of version 0.1.0: one configuration's three seeds, and two others."""
    records = read_records(FIXTURES / "schema-1")
    assert not caplog.records
    found = [(one["purpose"], one["state"], one["label"]["name"], one["seed"]) for one in records]
    assert sorted(found) == [
        ("confirm", "finished", "paper form", 102),
        ("confirm", "finished", "search, best", 100),
        ("confirm", "finished", "search, best", 101),
        ("confirm", "finished", "search, best", 102),
        ("search", "pruned", "paper", 0),
    ]
    (row,) = [row for row in from_records(records).rows if row.method.preset == "search, best"]
    assert row.last.mean == pytest.approx(35.4974277)
    assert row.last.std == pytest.approx(22.0251833)
    assert (row.method.name, row.seeds, row.method.selection_episodes) == (
        "QIPO-OT",
        (100, 101, 102),
        360,
    )
    assert len(row.notes) == 4

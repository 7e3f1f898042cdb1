"""What earlier versions wrote: real files, kept as they were, must stay readable."""

from __future__ import annotations

from pathlib import Path

import pytest

from qipo_ray.leaderboard import from_records
from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.store.intents import read_intents
from qipo_ray.store.record_schema import SCHEMA
from qipo_ray.store.records import read_records
from qipo_ray.store.rung_log import RungLog

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


def test_intents_of_schema_1(caplog: pytest.LogCaptureFixture) -> None:
    found = read_intents(FIXTURES / "schema-1")
    assert not caplog.records
    assert [(one["id"], one["origin"], one["rungs"]) for one in found] == [
        ("682cc8068c7e", "paper", [267, 800, 2400]),
        ("12850f4f8081", "search", [267, 800, 2400]),
    ]
    records = {one["trial"]: one for one in read_records(FIXTURES / "schema-1")}
    for one in found:
        assert one["config"] == records[one["id"]]["config"]


def test_the_rung_log_of_schema_1(caplog: pytest.LogCaptureFixture) -> None:
    log = RungLog(FIXTURES / "schema-1" / "rungs.jsonl")
    entries = log.read()
    assert not caplog.records and list(log.faults()) == []
    assert len(entries) == 18 and len({one["trial"] for one in entries}) == 8
    (paper,) = [one for one in entries if one["trial"] == "682cc8068c7e"]
    assert (paper["rung"], paper["updates"]) == (0, 267)
    assert paper["value"] == pytest.approx(-12.64401130)


def test_manifests_and_notes_of_schema_1() -> None:
    """The weights themselves, some megabytes, are not kept."""
    artefacts = ArtefactStore(FIXTURES / "schema-1")
    job = ("policy", "fecb84bc1d05d3a7")
    found = artefacts.find(*job, 267)
    assert found is not None and (found.bytes, found.keep) == (1435013, False)
    score = artefacts.sidecar(*job, "score-000000267-20ep-online-midpoint-8-clip")
    assert score["normalised"] == pytest.approx(-12.64401130)

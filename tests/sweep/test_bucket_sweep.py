"""A sweep whose results are in a bucket: killed, resumed elsewhere, through an outage."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fixtures.s3_server import SECRET, S3Server

from qipo_ray.cli.main import main
from qipo_ray.store import bucket
from qipo_ray.store.records import read_records
from qipo_ray.store.rung_log import RungLog
from qipo_ray.study.saved_spec import FILE
from qipo_ray.study.search_file import load_search_file
from qipo_ray.sweep.run import Options, check_start

pytestmark = pytest.mark.faults  # one broken sweep serves all

URI = "s3://bucket/results"
RUN = ["--executor", "local", "--trials", "3"]


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory, tiny_search: str) -> str:
    """A small search, and its data made: a file's path."""
    path = tmp_path_factory.mktemp("search") / "tiny.yaml"
    path.write_text(tiny_search)
    return str(path)


@pytest.fixture(scope="module")
def unbroken(search: str, tmp_path_factory: pytest.TempPathFactory, without_report: None) -> Path:
    """The same sweep in a folder."""
    root = tmp_path_factory.mktemp("unbroken")
    assert main(["sweep", search, *RUN, "--results", str(root)]) == 0
    return root / "tiny"


@pytest.fixture(scope="module")
def resumed(
    search: str,
    s3_server: S3Server,
    eventually: Callable[[str, Callable[[], Any]], Any],
    without_report: None,
    unbroken: Path,
) -> Path:
    """A sweep that was killed after its first record, and resumed with nothing at hand."""
    root = bucket.scratch_of(Path(f"{URI}/tiny"))
    command = [sys.executable, "-m", "qipo_ray", "sweep", search, *RUN, "--results", URI]
    with subprocess.Popen(command, env=os.environ, stderr=subprocess.PIPE) as driver:
        try:
            eventually("a record", lambda: bucket.names(root / "records"))
            second = main(["sweep", search, *RUN, "--results", URI])
        finally:
            driver.kill()
        assert second == 2, "a second driver is refused"
    shutil.rmtree(root)

    with pytest.MonkeyPatch.context() as patch:
        append, cut = RungLog.append, []

        def append_without_network(log: RungLog, entry: dict[str, Any]) -> None:
            if not cut:
                cut.append(entry)
                s3_server.stop()
            append(log, entry)

        def sleep(seconds: float) -> None:
            if len(cut) == 1:
                cut.append({})
                s3_server.start()

        patch.setattr(RungLog, "append", append_without_network)
        patch.setattr(bucket.time, "sleep", sleep)
        assert main(["sweep", search, *RUN, "--results", URI]) == 0
    assert len(cut) == 2
    return root


def numbers(root: Path) -> dict[str, Any]:
    return {record["id"]: [record["state"], record["scores"]] for record in read_records(root)}


def decisions(root: Path) -> list[tuple[Any, ...]]:
    """What the search compared, in order."""
    return [(line["trial"], line["rung"], line["value"]) for line in RungLog(root).read()]


def test_a_sweep_that_is_in_the_bucket_needs_no_place(s3_server: S3Server, search: str) -> None:
    spec, root = load_search_file(search), bucket.scratch_of(Path("s3://bucket/other/tiny"))
    huge = replace(spec, resources=replace(spec.resources, workers=1, cpus=1e6))
    bucket.write(root / FILE, b"")
    assert not root.exists()  # as on a machine that has no copy of it
    check_start(Options("ray", False, "local", None), huge, root)


def test_it_ends_as_if_nothing_had_happened(resumed: Path, unbroken: Path) -> None:
    assert numbers(resumed) == numbers(unbroken)
    assert decisions(resumed / "rungs.jsonl") == decisions(unbroken / "rungs.jsonl")
    assert bucket.names(resumed / "driver")[:2] == ["000001.json", "000002.json"]


def test_the_verbs_read_the_bucket(
    resumed: Path, unbroken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(resumed)
    assert main(["verify", f"{URI}/tiny"]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
    shutil.rmtree(resumed)
    documents = []
    for root in (URI, str(unbroken.parent)):
        assert main(["leaderboard", root, "--json"]) == 0
        tables = json.loads(capsys.readouterr().out)["tables"]
        documents.append([table["rows"] for table in tables])
    assert documents[0] == documents[1]
    for verb in ("trials", "status"):
        assert main([verb, f"{URI}/tiny", "--json"]) == 0
        json.loads(capsys.readouterr().out)
    assert main(["report", f"{URI}/tiny"]) == 0
    assert f"wrote {URI}/tiny/leaderboard/report.html" in capsys.readouterr().err
    assert bucket.exists(resumed / "leaderboard" / "report.html")
    record = f"{URI}/tiny/records/{read_records(resumed)[0]['id']}.json"
    shutil.rmtree(resumed)
    assert main(["evaluate", record, "--episodes", "1", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1
    assert main(["evaluate", f"{URI}/tiny/records/none.json"]) == 2
    assert f"{URI}/tiny/records/none.json: there is no such record" in capsys.readouterr().err
    shutil.rmtree(resumed)
    for said in ("there is nothing below that name", "that is an object, not a folder"):
        assert main(["status", f"{URI}/tiny/rungs.jsonl"]) == 2
        assert f"{URI}/tiny/rungs.jsonl: {said}" in capsys.readouterr().err
        assert main(["status", f"{URI}/tiny"]) == 0
    capsys.readouterr()
    assert main(["bench", "learning", "--results", URI]) == 2
    assert "must be on this machine" in capsys.readouterr().err
    assert main(["status", "s3://no-such-bucket/tiny"]) == 2
    assert "there is no bucket s3://no-such-bucket" in capsys.readouterr().err


def test_every_step_is_shown_once_and_no_secret_is_kept(resumed: Path) -> None:
    at = bucket.address(resumed)
    keys = [entry["path"] for entry in at.client.list(at.key).collect()]
    folders = [key.rpartition("/")[0] for key in keys if "events.out.tfevents" in key]
    assert len(folders) == len(set(folders)) > 3, "one event file of a run"
    assert not any(SECRET.encode() in bytes(at.client.get(key).bytes()) for key in keys)


def test_train_too_goes_on_with_nothing_at_hand(
    s3_server: S3Server, capsys: pytest.CaptureFixture[str]
) -> None:
    small = (
        "behaviour.width=16 behaviour.blocks=1 behaviour.updates=100 critic.width=16 "
        "critic.layers=2 critic.updates=100 critic.returns_updates=100 policy.pool=100 "
        "policy.support_size=4 policy.renew_every=60 policy.rounds=1 sampler.evaluations=4 "
        "evaluation.episodes=3 evaluation.final_episodes=4"
    )
    changes = [part for change in small.split() for part in ("--set", change)]
    command = [
        "train",
        "--task",
        "point",
        *changes,
        "--jobs",
        "1",
        "--results",
        "s3://bucket/train",
    ]
    assert main(command) == 0
    assert "event files, to be copied for TensorBoard: s3://" in capsys.readouterr().err
    shutil.rmtree(bucket.scratch_of(Path("s3://bucket/train")))
    assert main(command) == 0
    assert "nothing to do: the run is in s3://bucket/train" in capsys.readouterr().err
    assert main([*command, "--private"]) == 2

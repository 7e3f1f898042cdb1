"""The wandb logger, offline: a real run, written without a network."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.tracking.loggers import LoggedRun, LogRow, find_service, parse_services
from qipo_ray.tracking.wandb_logger import shutdown


def wandb_records(file: Path) -> Iterator[bytes]:
    """Yield the records of an offline run: a LevelDB log after a header of seven bytes."""
    raw, at, parts = file.read_bytes(), 7, b""
    assert raw[:4] == b":W&B"
    while at < len(raw):
        if 32768 - at % 32768 < 7:  # the rest of a block that holds no further header
            at += 32768 - at % 32768
            continue
        length, kind = struct.unpack_from("<HB", raw, at + 4)
        parts += raw[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of its own dependencies
def test_wandb_offline_holds_the_run_once(
    logged_run: LoggedRun, rows: list[LogRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="the extra `wandb` is not installed")
    from wandb.proto import wandb_internal_pb2 as pb

    monkeypatch.setenv("WANDB_MODE", "offline")
    assert parse_services("wandb") == ("wandb",)
    for second in ("20200101_000000", "20200101_000001"):  # the second time as after a resume
        logger = find_service("wandb").make_logger(logged_run)
        logger.write(rows[:2])
        logger.write(rows[2:])
        logger.close()
        shutdown()  # only when wandb's own process has ended is all of the run on the disk
        (folder,) = (logged_run.root / "wandb").glob("offline-run-*")
        identity = folder.name.rpartition("-")[2]
        folder = folder.rename(folder.with_name(f"offline-run-{second}-{identity}"))
    (file,) = folder.glob("*.wandb")
    history: dict[int, dict[str, str]] = {}
    settings: dict[str, str] = {}
    for data in wandb_records(file):
        record: Any = pb.Record.FromString(data)
        if record.WhichOneof("record_type") == "run":
            assert record.run.run_group == "point/tiny"
            settings |= {item.key: item.value_json for item in record.run.config.update}
        if record.WhichOneof("record_type") == "history":
            items = {(i.key or "/".join(i.nested_key)): i.value_json for i in record.history.item}
            assert record.history.step.num not in history
            history[record.history.step.num] = items
    assert list(history) == [100, 200, 500]
    assert float(history[200]["behaviour/loss"]) == 1.0
    assert float(history[200]["score/normalised"]) == 5.0
    assert float(history[500]["policy/ess"]) == 3.0
    assert "policy/support_q" not in history[500]  # its warning cannot be shown
    assert settings["seed"] == "7" and settings["behaviour.width"] == "16"

from __future__ import annotations

import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from qipo_ray.store import driver as module
from qipo_ray.store.driver import driving
from qipo_ray.store.files import sealed, write_new
from qipo_ray.store.lease import LeaseHeld, LeaseLost, driver

LIMIT_S = 60.0


def test_the_lease_is_held_for_the_length_of_the_block(tmp_path: Path) -> None:
    with driving(tmp_path) as lease:
        assert driver(tmp_path) == lease.holder
        with pytest.raises(LeaseHeld, match="is driven by process"), driving(tmp_path):
            pytest.fail("two drivers of one folder")
    assert driver(tmp_path) is None


def test_the_lease_is_released_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), driving(tmp_path):
        raise ZeroDivisionError
    with driving(tmp_path) as lease:
        assert lease.attempt == 2 and lease.before is None


def test_a_driver_that_was_overtaken_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BEAT_EVERY_S", 0.01)
    with pytest.raises(LeaseLost, match="was taken over by process"), driving(tmp_path) as lease:
        newer = replace(lease.holder, started="2026-01-01T00:00:00Z")
        write_new(tmp_path / "driver" / "000002.json", sealed(asdict(newer)))
        threading.Event().wait(LIMIT_S)
        pytest.fail("the block went on")

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from typing import Any

import pytest

from qipo_ray.store.files import sealed, unsealed
from qipo_ray.store.manifest import CheckpointInfo, OtherSchema, decode, encode, matches

JOB = ("critic", "0123456789abcdef", 300)
DATA = b"weights" * 100


def manifest(**changes: Any) -> CheckpointInfo:
    stage, key, updates = JOB
    digest = hashlib.sha256(DATA).hexdigest()
    snapshot = CheckpointInfo(
        stage, key, updates, 2, 1.0, False, "000000300-000002-0123.pt", len(DATA), digest
    )
    return replace(snapshot, **changes)


def test_a_manifest_is_read_as_it_was_written() -> None:
    snapshot = manifest(cpu_seconds=2.5)
    assert decode(encode(snapshot), *JOB) == snapshot
    assert matches(snapshot, DATA) and not matches(snapshot, DATA[:-1] + b"S")


def test_an_older_manifest_did_not_count_seconds_of_the_processor() -> None:
    fields = unsealed(encode(manifest()))
    del fields["cpu_seconds"]
    assert decode(sealed(fields), *JOB) == manifest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"updates": "300"}, "manifest.updates: must be a valid integer; got '300'"),
        ({"attempt": True}, "manifest.attempt: must be a valid integer; got True"),
        ({"bytes": 1.0}, "manifest.bytes: must be a valid integer; got 1.0"),
        ({"keep": 0}, "manifest.keep: expected one of True, False; got 0"),
        ({"seconds": None}, "manifest.seconds: expected a finite number; got None"),
        ({"sha265": ""}, "manifest: unknown field 'sha265' (did you mean 'sha256'?)"),
        ({"file": "../x.pt"}, "manifest with a path"),
        ({"updates": 200}, "manifest of critic-0123456789abcdef at 200 updates"),
        ({"stage": "policy"}, "manifest of policy-0123456789abcdef at 300 updates"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], message: str) -> None:
    fields = {"schema": 1, **asdict(manifest()), **changes}
    with pytest.raises(ValueError, match=".") as caught:
        decode(sealed(fields), *JOB)
    assert str(caught.value) == message


def test_every_field_but_the_later_one_is_needed() -> None:
    whole = {"schema": 1, **asdict(manifest())}
    for key in whole.keys() - {"schema", "cpu_seconds"}:
        fields = {name: value for name, value in whole.items() if name != key}
        with pytest.raises(ValueError, match=rf"^manifest\.{key}: missing$"):
            decode(sealed(fields), *JOB)


def test_another_schema_is_no_damage() -> None:
    for schema in (2, None, "1"):
        with pytest.raises(OtherSchema, match="this version reads 1"):
            decode(sealed({**asdict(manifest()), "schema": schema}), *JOB)

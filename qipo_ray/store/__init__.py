"""Durable files: atomic writes, artefacts by key, records; the truth of a sweep."""

from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.store.fencing import StaleToken
from qipo_ray.store.files import (
    check_name,
    remove_stale,
    sha256_file,
    write_bytes,
    write_new,
)
from qipo_ray.store.manifest import CheckpointInfo
from qipo_ray.store.record_schema import SCHEMA, RecordError
from qipo_ray.store.records import (
    new_id,
    read_record,
    read_records,
    validate,
    write_record,
)

__all__ = [
    "SCHEMA",
    "CheckpointInfo",
    "ArtefactStore",
    "RecordError",
    "StaleToken",
    "check_name",
    "new_id",
    "read_record",
    "read_records",
    "remove_stale",
    "sha256_file",
    "validate",
    "write_bytes",
    "write_new",
    "write_record",
]

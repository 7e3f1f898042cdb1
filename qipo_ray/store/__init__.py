"""Durable files: atomic writes, artefacts by key, records; the truth of a sweep."""

from qipo_ray.store.artefacts import Artefacts
from qipo_ray.store.attempts import StaleAttempt
from qipo_ray.store.files import (
    check_name,
    read_json,
    remove_stale,
    sha256_file,
    write_bytes,
    write_json,
    write_new,
)
from qipo_ray.store.manifest import Artefact
from qipo_ray.store.records import (
    SCHEMA,
    RecordError,
    new_id,
    read_record,
    read_records,
    validate,
    write_record,
)

__all__ = [
    "SCHEMA",
    "Artefact",
    "Artefacts",
    "RecordError",
    "StaleAttempt",
    "check_name",
    "new_id",
    "read_json",
    "read_record",
    "read_records",
    "remove_stale",
    "sha256_file",
    "validate",
    "write_bytes",
    "write_json",
    "write_new",
    "write_record",
]

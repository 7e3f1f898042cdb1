"""Sealed JSON documents: one per file, named by its id, written once and never replaced."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

from qipo_ray.store.files import read_bytes, sealed, set_aside, unsealed, write_new
from qipo_ray.store.record_schema import RecordError

T = TypeVar("T")


def read_or_set_aside(path: Path, parse: Callable[[bytes], T]) -> T | None:
    """Return a file's content as parsed; None if it is gone, or was damaged and is now set aside.

    It is damaged if ``parse`` raises a ``ValueError`` or ``KeyError``.
    """
    try:
        raw = read_bytes(path)
    except FileNotFoundError:
        if path.is_symlink():  # to nothing: no document, and in the way of one
            set_aside(path, None, "a link to nothing")
        return None
    try:
        return parse(raw)
    except (ValueError, KeyError) as problem:
        set_aside(path, raw, str(problem))
        return None


class DocumentType:
    """A type of documents ``<id>.json``: its name in messages, and the check of its content."""

    def __init__(
        self,
        name: str,
        validate: Callable[[dict[str, Any]], None],
        may_differ: Collection[str] = (),
    ) -> None:
        """Use ``validate``, which raises ``RecordError``; equal ones may differ in some fields."""
        self._name, self._validate, self._may_differ = name, validate, may_differ

    def write(self, folder: Path, document: dict[str, Any]) -> Path:
        """Return ``<folder>/<id>.json`` once the document is durable there.

        An equal one that is already there stays; it may lack fields, being older than they are.
        ``RecordError`` for an invalid document, and for a different one under the same id, which
        stays as it is. A damaged one is set aside.
        """
        self._validate(document)
        path = Path(folder) / f"{document['id']}.json"
        data = sealed(document)
        while True:
            try:
                write_new(path, data)
                return path
            except FileExistsError:
                old = self.read_or_set_aside(path)
            if old is not None:
                self._compare(old, unsealed(data), path)
                return path

    def _compare(self, old: dict[str, Any], new: dict[str, Any], path: Path) -> None:
        for key, value in new.items():
            if key in old and key not in self._may_differ and old[key] != value:
                raise RecordError(
                    f"{self._name}.{key}: {path} holds another value; never replaced"
                )

    def read(self, path: str | Path) -> dict[str, Any]:
        """Return the document in a file; ``ValueError`` if it is damaged or another's."""
        with open(path, "rb", buffering=0) as file:
            return self._parse(os.path.basename(path), file.read())

    def read_or_set_aside(self, path: Path) -> dict[str, Any] | None:
        """Return the document in a file; None if it is gone, or was damaged or another's."""
        return read_or_set_aside(path, lambda raw: self._parse(path.name, raw))

    def _parse(self, file_name: str, raw: bytes) -> dict[str, Any]:
        document = unsealed(raw)
        self._validate(document)
        if file_name != f"{document['id']}.json":
            raise RecordError(f"{self._name}.id: {document['id']} in the file {file_name}")
        return document

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qipo_ray.store.documents import DocumentType
from qipo_ray.store.files import sealed
from qipo_ray.store.record_schema import RecordError


def validate(document: dict[str, Any]) -> None:
    if not document["id"].islower():
        raise RecordError("note.id: expected small letters")


NOTES = DocumentType("note", validate, may_differ=["written"])
NOTE = {"id": "a", "text": "x", "written": "today"}


def test_a_document_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = NOTES.write(tmp_path / "notes", NOTE)
    assert path == tmp_path / "notes" / "a.json"
    assert NOTES.read(path) == NOTES.read_or_set_aside(path) == NOTE
    assert NOTES.read_or_set_aside(tmp_path / "b.json") is None
    with pytest.raises(RecordError, match="small letters"):
        NOTES.write(tmp_path, {"id": "A"})


def test_a_document_is_never_replaced(tmp_path: Path) -> None:
    path = NOTES.write(tmp_path, NOTE)
    NOTES.write(tmp_path, {**NOTE, "written": "tomorrow", "later field": 1})
    with pytest.raises(RecordError) as caught:
        NOTES.write(tmp_path, {**NOTE, "text": "y"})
    assert str(caught.value) == f"note.text: {path} holds another value; never replaced"
    assert NOTES.read(path) == NOTE


@pytest.mark.parametrize("content", [b"{", sealed({"id": "b"}), sealed({"id": "A"})])
def test_a_damaged_document_makes_way(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="."):
        NOTES.read(path)
    assert NOTES.write(tmp_path, NOTE) == path
    assert NOTES.read(path) == NOTE
    assert path.with_name("a.json.corrupt").read_bytes() == content

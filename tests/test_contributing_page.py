"""CONTRIBUTING.md shows the house as the code has it, and every file that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import structure

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PLAIN = {
    "errors",
    "version",
    "cores",
    "user_modules",
    "presets",
    "__init__",
    "__main__",
}  # not in the picture
HOUSE = {room: imports for room, imports in structure.HOUSE.items() if room not in PLAIN}


def picture() -> dict[str, tuple[int, set[str]]]:
    """Return the floor of every room of the picture, and the rooms that it may import."""
    head, *lines = PAGE.split("```text\n")[1].split("```")[0].splitlines()
    room_at, imports_at = head.index("room"), head.index("may import")
    rooms: dict[str, tuple[int, set[str]]] = {}
    floor, room = 0, ""
    for line in lines:
        floor = int(line[:room_at].strip() or floor)
        name, *_ = line[room_at : head.index("what")].split() or [room]
        before = rooms[name][1] if name == room else set()
        room = name
        text = line[imports_at:].removeprefix("nothing")
        names = set(text.removeprefix("all but").split())
        if text.startswith("all but"):
            names = HOUSE.keys() - names - {room}
        rooms[room] = floor, before | names
    return rooms


def test_the_picture_is_the_table_of_the_house() -> None:
    assert {room: imports for room, (_, imports) in picture().items()} == HOUSE


def test_rooms_import_from_floors_below() -> None:
    floors = {room: floor for room, (floor, _) in picture().items()}
    for room, imports in HOUSE.items():
        assert all(floors[name.split(".")[0]] < floors[room] for name in imports), room


def test_every_file_that_it_names_exists() -> None:
    named = re.findall(r"`((?:\w[\w-]*/)+(?:[\w-]+\.\w+)?)`", PAGE)
    assert len(named) > 30
    for name in named:
        assert (ROOT / name).exists() or (ROOT / "qipo_ray" / name).exists(), name

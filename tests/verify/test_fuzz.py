"""Every file of a small sweep, damaged in a dozen ways: a verdict each time, and no traceback."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from qipo_ray.cli.main import main
from qipo_ray.store.files import sealed, unsealed
from qipo_ray.store.lease import Lease
from qipo_ray.verify import verify

NOISE = random.Random(0).randbytes(700)


def replace(content: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content) and None


def flip(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


def halve(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link(target: str) -> Callable[[Path], None]:
    def act(path: Path) -> None:
        path.unlink()
        path.symlink_to(target if target != "itself" else path.name)

    return act


WAYS: dict[str, Callable[[Path], None]] = {
    "empty": lambda path: path.write_bytes(b"") and None,
    "halved": halve,
    "a bit flipped": flip,
    "noise": replace(NOISE),
    "noise behind it": lambda path: path.write_bytes(path.read_bytes() + NOISE) and None,
    "a list": replace(b"[1]\n"),
    "null": replace(b"null\n"),
    "not a number": replace(b'{"check": NaN}\n'),
    "nested deeply": replace(b"[" * 2_000),
    "a folder": folder,
    "a link to nothing": link("nowhere"),
    "a link to itself": link("itself"),
    "gone": lambda path: path.unlink(),
}
# What nothing else speaks of: that it is gone cannot be told.
ALONE = ("driver/", "specifications/", "artefacts/")
UNJUDGED = ("attempt-",)  # its name is all that counts


@pytest.fixture
def sweep(root: Path) -> Path:
    """A sweep with a file of every kind, also of what a driver and an extension leave."""
    Lease.take(root).release()
    (root / "specifications").mkdir()
    shutil.copy(root / "sweep.yaml", root / "specifications" / "0123456789abcdef.yaml")
    next(root.glob("artefacts/critic-*/*.pt")).with_name("000003500.fate").write_bytes(b"keep\n")
    return root


def kind(path: Path) -> str:
    """Return what files of one kind share: the start of their folder's name, and of their own."""
    name = re.sub(r"[0-9a-f]{9,}|[0-9]+", "0", path.name)
    return f"{path.parent.name.partition('-')[0]} {name.partition('-')[0]} {path.suffix}"


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def damaged(sweep: Path, path: Path, way: str) -> None:
    """Damage a file, look, and mend it."""
    place, whole = str(path.relative_to(sweep)), path.read_bytes()
    WAYS[way](path)
    verdict = verify(sweep)
    said = [*verdict.faults, *verdict.remarks]
    hidden = place.startswith(ALONE) and way == "gone" and not said
    if path.name.startswith(UNJUDGED) or (hidden and path.suffix in (".fate", ".json", ".yaml")):
        assert not verdict.faults
    else:
        assert said, f"{place}: {way}"
        assert all("\n" not in one.what and one.place.isprintable() for one in said)
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    elif path.is_symlink():
        path.unlink()
    path.write_bytes(whole)


@pytest.mark.faults
@pytest.mark.parametrize("way", WAYS)
def test_every_kind_of_file_and_every_file(sweep: Path, way: str) -> None:
    """A file of each kind in each way, and each file in one way at least."""
    every = files(sweep)
    kinds = {kind(path): path for path in every}
    assert len(kinds) >= 15
    for path in {*kinds.values(), *every[list(WAYS).index(way) :: len(WAYS)]}:
        damaged(sweep, path, way)
    assert verify(sweep).faults == ()


@pytest.mark.faults
@pytest.mark.parametrize("way", ["halved", "a folder", "a link to itself"])
def test_the_command_ends_without_a_traceback(
    sweep: Path, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = {kind(path): path for path in files(sweep) if not path.name.startswith(UNJUDGED)}
    for path in kinds.values():
        whole = path.read_bytes()
        WAYS[way](path)
        code = main(["verify", str(sweep), "--json"])
        said = json.loads(capsys.readouterr().out)
        assert code == (1 if said["faults"] else 0)
        assert said["faults"] or said["remarks"]
        path.rmdir() if path.is_dir() else path.unlink()
        path.write_bytes(whole)


@pytest.mark.slow_after(2)
@pytest.mark.parametrize(
    "name", ["records", "trials", "artefacts", "driver", "leaderboard", "specifications"]
)
def test_a_folder_that_is_a_file(sweep: Path, name: str) -> None:
    shutil.rmtree(sweep / name)
    (sweep / name).write_text("in the way")
    verdict = verify(sweep)
    assert verdict.faults, name
    (sweep / name).unlink()
    (sweep / name).symlink_to(name)
    assert verify(sweep).faults, name


@pytest.mark.faults
def test_documents_of_a_wrong_shape_that_are_sealed_again(sweep: Path) -> None:
    """Every top key gone, or something else: as a bug would leave it, not a disk."""
    dice = random.Random(2)
    strange = [None, [], {}, -1, 0.5, "x", [1], {"a": 1}, True, 10**30]
    kinds = {kind(path): path for path in files(sweep) if path.suffix == ".json"}
    judged = 0
    for path in kinds.values():
        if path.parent.name == "leaderboard":
            continue
        whole = path.read_bytes()
        for key in unsealed(whole):
            document = unsealed(whole)
            del document[key]
            path.write_bytes(sealed(document))
            gone = verify(sweep)
            older = key in ("cpu_seconds", "of") or path.parent.name == "driver"  # lack those
            assert gone.faults or gone.remarks or older, (path, key)
            path.write_bytes(sealed(document | {key: dice.choice(strange)}))
            verify(sweep)
            judged += 2
        path.write_bytes(whole)
    assert judged > 60
    assert verify(sweep).faults == ()


def test_names_that_no_terminal_shows(
    sweep: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Not UTF-8, with an escape sequence and a line break."""
    name = b"\xff\x1b[31m\n.json"
    for folder in ("records", "trials", "artefacts", "driver"):
        (sweep / folder / name.decode("utf-8", "surrogateescape")).write_text("x")
    assert main(["verify", str(sweep)]) == 1
    out = capsysbinary.readouterr().out
    assert b"\x1b" not in out and rb"WRONG records/\xff\x1b[31m\n.json: " in out

"""Names and documents of strangers: refused in one line, and nothing outside is touched."""

from __future__ import annotations

import pickle
import re
from functools import partial
from pathlib import Path

import pytest
from fixtures.fault_counts import CountFaults

from qipo_ray.errors import UserError
from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.store.files import check_name
from qipo_ray.study.saved_spec import read_spec
from qipo_ray.study.search_file import load_search_file
from qipo_ray.train.checkpoint import CheckpointError, from_bytes

pytestmark = pytest.mark.faults
SEARCH = (Path(__file__).parent / "sweep" / "tiny.yaml").read_text()
NAMES = (
    "../x", "..", ".", "", "/etc/passwd", "a/b", "a\\b", "a\0b", "a\nb", "a\x1b[2J", " a",
    "a ", "-rf", "--help", "~", "~root", "$HOME", "${HOME}", "`id`", "$(id)", "a;id", "a|id",
    "a&id", "a>b", "a*", "a?", "a[b]", "CON", "NUL", "A", "é", "а", "\u202ea", "a\u200b",
    "\ufeffa", "a" * 65, "a" * 5000, "..%2f", "%2e%2e", "a..b", "...", ".hidden", "a:b",
    "file:///etc/passwd", "\\\\host\\share", "a'b", 'a"b', "<b>", "=cmd()", "@sum", "{{7*7}}",
    "%s%n", "a\tb", "\x7f", "\ud800", "a\r", "\u2028", "a\x85",
)  # fmt: skip
MARK = "touched"
DOCUMENTS = (
    "!!python/object/apply:os.system ['touch touched']",
    "!!python/object/new:os.system ['touch touched']",
    "!!python/name:os.system ",
    "!!python/module:os ",
    "!!python/object/apply:subprocess.check_output [[touch, touched]]",
    "!!binary |\n  gASV",
    "!!timestamp 2026-01-01",
    "!!set {a, b}",
    "&a [*a]",
    "&a {x: *a}",
    "{<<: {name: a}}",
    "&a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]",
    "[" * 5000,
    "{a: " * 5000,
    "name: tiny",  # a second time
    "!include /etc/passwd",
    "!ENV ${HOME}",
)


class Payload:
    """A pickle that would leave a file."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, (f"touch {MARK}",)


def test_no_name_leaves_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count_faults: CountFaults
) -> None:
    monkeypatch.chdir(tmp_path)
    store, file = ArtefactStore(tmp_path / "R"), tmp_path / "search.yaml"
    for name in NAMES:
        makers = (check_name, partial(store.folder, "policy"), partial(store.folder, key="a"))
        for make in makers:
            with pytest.raises(ValueError, match="unsafe"):
                make(name)
        try:
            text = SEARCH.replace("name: tiny", f"name: {yaml_text(name)}")
            file.write_text(text, encoding="utf-8")
        except UnicodeEncodeError:
            continue
        with pytest.raises(UserError) as refused:
            load_search_file(file)
        assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["search.yaml"]
    count_faults("attack", len(NAMES))


def yaml_text(name: str) -> str:
    """Return a name as YAML's double quotes hold it, whatever it is."""
    return (
        '"' + "".join(f"\\U{ord(sign):08x}" if sign != "\ud800" else sign for sign in name) + '"'
    )


def test_no_document_runs_or_reads_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count_faults: CountFaults
) -> None:
    """As a search file, and as the specification that a results folder holds."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "R").mkdir()
    for document in DOCUMENTS:
        for text in (SEARCH + f"\nextra: {document}\n", f"{document}\n"):
            for file, read in (
                (tmp_path / "search.yaml", load_search_file),
                (tmp_path / "R" / "sweep.yaml", read_spec),
            ):
                file.write_text(text)
                with pytest.raises((UserError, ValueError)) as refused:
                    read(file)
                assert not re.search(r"\x1b|root:", str(refused.value))
    assert {path.name for path in tmp_path.iterdir()} == {"search.yaml", "R"}
    count_faults("attack", len(DOCUMENTS))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_pickle_is_run(
    protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count_faults: CountFaults
) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    torch.save({"a": Payload()}, tmp_path / "a.pt", pickle_protocol=max(2, protocol))
    for data in (pickle.dumps(Payload(), protocol), (tmp_path / "a.pt").read_bytes()):
        with pytest.raises(CheckpointError):
            from_bytes(data)
    assert not (tmp_path / MARK).exists()
    count_faults("attack", 2)

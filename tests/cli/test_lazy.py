"""A lazy group on two verbs of a module that is written for the test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from qipo_ray.cli.lazy import LazyGroup

OPTIONS = '''
def greet(name: str, loud: bool = False) -> str:
    """Greet somebody."""
    return "lazy_work:shout" if loud else "lazy_work:greet"
'''
WORK = """
def greet(name, loud):
    print("hello", name)

def shout(name, loud):
    print("HELLO", name)
"""


class Group(LazyGroup):
    verbs = {"greet": "lazy_options:greet", "leave": "lazy_missing:leave"}


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[typer.Typer]:
    (tmp_path / "lazy_options.py").write_text(OPTIONS)
    (tmp_path / "lazy_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    app = typer.Typer(cls=Group)
    app.callback()(lambda: None)
    yield app
    for name in ("lazy_options", "lazy_work"):
        sys.modules.pop(name, None)


def run(app: typer.Typer, *line: str) -> None:
    typer.main.get_command(app).main(args=list(line), standalone_mode=False)


def test_a_verb_is_imported_when_it_is_run(
    app: typer.Typer, capsys: pytest.CaptureFixture[str]
) -> None:
    run(app, "greet", "--help")  # the other verb's module does not even exist
    assert "Greet somebody." in capsys.readouterr().out
    assert "lazy_options" in sys.modules and "lazy_work" not in sys.modules
    run(app, "greet", "Ada")
    assert capsys.readouterr().out == "hello Ada\n" and "lazy_work" in sys.modules


def test_an_option_may_choose_who_does_the_work(
    app: typer.Typer, capsys: pytest.CaptureFixture[str]
) -> None:
    run(app, "greet", "Ada", "--loud")
    assert capsys.readouterr().out == "HELLO Ada\n"


def test_a_mistyped_verb_is_no_reason_to_import_one(app: typer.Typer) -> None:
    with pytest.raises(Exception, match="Did you mean 'greet'"):
        run(app, "gret")
    assert "lazy_options" not in sys.modules

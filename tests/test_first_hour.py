"""The page of the first hour: its search file and its commands, in a folder of their own."""

from __future__ import annotations

import io
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from itertools import takewhile
from pathlib import Path

import pytest

from qipo_ray.cli.main import main
from qipo_ray.data.locate import generated_path
from qipo_ray.data.tasks import get_task
from qipo_ray.evaluation.generate import generate
from qipo_ray.store.records import read_records
from qipo_ray.sweep import run

PAGE = Path(__file__).parents[1] / "docs" / "first-hour.md"
SMALL = """\
set:
  behaviour.width: 16
  behaviour.updates: 60
  critic.width: 16
  critic.updates: 40
  critic.returns_updates: 40
  policy.renew_every: 40
  policy.pool: 100
  sampler.evaluations: 4
  evaluation.episodes: 1
  evaluation.final_episodes: 2
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def commands() -> Iterator[list[str]]:
    for block in blocks("bash"):
        yield from (shlex.split(line) for line in block.splitlines())


def interrupted(words: list[str]) -> None:
    """Begin a command, and press Ctrl-C once it trains."""
    process = subprocess.Popen(
        [sys.executable, "-m", "qipo_ray", *words],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    with process:
        assert process.stderr is not None
        before = [*takewhile(lambda line: "memory of point" not in line, process.stderr)]
        process.send_signal(signal.SIGINT)
        after = process.stderr.read()
    assert process.returncode == 130, before
    assert after.endswith("Stopped; the same command continues\n")


@pytest.mark.faults  # it presses Ctrl-C
def test_every_command_of_the_page(
    private_home: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it stands, but for sizes and what has tests of its own: pictures, exports, a server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "_report", lambda root, screen: None)
    monkeypatch.setenv("QIPO_DATA", str(tmp_path / "data"))
    for task in ("point", "maze2d-umaze"):
        generate(task, generated_path(get_task(task)), rows=1500)
    (search,) = blocks("yaml")
    Path("first.yaml").write_text(
        re.sub(r"\nset:.*?(?=space:)", f"\n{SMALL}", search, flags=re.DOTALL)
    )
    done = 0
    for program, *words in commands():
        if program == "tensorboard":
            assert list(Path(words[-1]).rglob("events.out.tfevents.*"))
            continue
        if words[0] in ("report", "export"):
            continue
        if not done:
            interrupted(words)
        *words, target = words if ">" in words else [*words, ""]
        with redirect_stdout(io.StringIO()) as said:
            assert main([word for word in words if word != ">"]) == 0
        if target:
            Path(target).write_text(said.getvalue())
        done += 1
    assert done == 8
    (script,) = blocks("python")
    names: dict[str, object] = {}
    exec(script, names)
    assert getattr(names["action"], "shape", None) == (2,)
    assert {record["seed"] for record in read_records(Path("again"))} == {7, 8}
    assert "tabular" in Path("table.tex").read_text()

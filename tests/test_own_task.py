"""Users' own tasks the whole way: the page's commands, a factory, no environment, strangers."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from fixtures.own_tasks import PENDULUM, REACH
from fixtures.tiny_runs import TINY

import qipo_ray
from qipo_ray.cli.main import main
from qipo_ray.data.tasks import NO_ENVIRONMENT
from qipo_ray.errors import UserError
from qipo_ray.store.files import sealed
from qipo_ray.store.records import read_records
from qipo_ray.study.task_file import read_task
from qipo_ray.sweep import run
from qipo_ray.verify import verify

PAGE = Path(__file__).parents[1] / "docs" / "extend.md"
SETS = [part for text in (*TINY, "evaluation.final_episodes=2") for part in ("--set", text)]
SEARCH = """\
name: small
tasks: [point]
preset: quickstart
set: {{{}, evaluation.episodes: 2}}
space: {{policy.beta: {{loguniform: [5, 50]}}}}
trials: 2
seeds: {{search: [0], report: [100]}}
resources: {{workers: 1, cpus: 1, gpus: 0, slots: 1}}
"""


@pytest.fixture
def nothing_imported(tmp_path: Path) -> Iterator[None]:
    """Leave no module of a task's folder behind, and no way to it."""
    yield
    sys.modules.pop("reacher_env", None)
    sys.path[:] = [folder for folder in sys.path if folder != str(tmp_path)]


def said(*words: str) -> str:
    with redirect_stdout(io.StringIO()) as out:
        assert main([*words]) == 0, words
    return out.getvalue()


def blocks(language: str) -> list[str]:
    text = PAGE.read_text("utf-8").partition("## Your own task\n")[2].partition("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.slow
def test_every_command_of_the_page(
    private_home: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it stands, but for sizes and the pictures of the report."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "_report", lambda root, screen: None)
    make, act = blocks("python")
    (task,) = blocks("yaml")
    exec(make.replace("20_000", "1000"), {})
    Path("pendulum.yaml").write_text(task)
    tiny = ", ".join(text.replace("=", ": ") for text in TINY if "evaluation.ep" not in text)
    Path("small").write_text(SEARCH.format(tiny))  # in place of the one that ships
    commands = [shlex.split(line) for block in blocks("bash") for line in block.splitlines()]
    assert len(commands) == 9
    outputs = {}
    for program, *words in commands:
        assert program == "qipo-ray"
        outputs[" ".join(words[:2])] = said(*words, *(SETS if words[0] == "train" else ()))
    own = read_task(Path("pendulum.yaml")).id
    assert own in outputs["leaderboard results/small"]
    assert "raw returns" in outputs["leaderboard results/small"]
    assert "nothing is wrong" in outputs["verify results/small"]
    assert "another version" not in outputs["verify results/small"]  # to the letter
    assert "equal to the last bit" in outputs["reproduce results/small"]
    assert re.search(r"references: \[-1\d+\.", outputs["data references"])
    assert Path("pendulum.pt2").stat().st_size > 1000
    moved = shutil.move("results", tmp_path / "moved")
    names: dict[str, object] = {}
    exec(act.replace("results/", f"{moved}/"), names)
    assert -3000 < float(str(names["total"])) < 0
    policy = qipo_ray.load_policy(f"{moved}/small", best=True, task="pendulum")
    actions = policy.act(10 * np.random.default_rng(0).normal(size=(500, 3)))
    assert abs(actions).max() <= 2 and abs(actions).max() > 1
    assert not verify(Path(moved) / "small").faults
    json.loads(said("leaderboard", f"{moved}/small", "--json"))


@pytest.fixture
def trained(
    reach: Path, tmp_path: Path, nothing_imported: None, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Results of two processes, with nothing of the task left in this one."""
    results = tmp_path / "results"
    said(
        *("train", "--task", str(reach), "--results", str(results), "--seeds", "0,1"),
        *("--jobs", "2", "--json", *SETS),
    )
    del sys.modules["reacher_env"]
    sys.path.remove(str(tmp_path))
    return results


@pytest.mark.slow
def test_a_factory_with_goals_and_what_a_stranger_may_not(
    trained: Path, reach: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = read_records(trained / "records")
    own = read_task(reach)
    assert len(records) == 2
    for record in records:
        assert record["task"] == record["data"]["task"] == own.id
        assert record["protocol"]["scores"] == "scores are raw returns"
        score = record["final"]["last"]
        assert score["normalised"] == pytest.approx(score["mean"]) and score["success"] is not None
        assert str(tmp_path) not in json.dumps({**record, "provenance": None})
    # A folder that somebody sent: everything reads it, nothing of it is imported.
    sent = tmp_path / "sent"
    shutil.move(trained, sent)
    file = sent / "records" / f"{records[0]['id']}.json"
    said("leaderboard", str(sent))
    assert own.id in said("best", str(sent), "--task", str(reach))
    assert not verify(sent).faults
    assert qipo_ray.load_policy(file).act(np.zeros(4)).shape == (2,)
    for command in ("evaluate", "reproduce"):
        assert main([command, str(file)]) == 2
        assert "give its file, --task FILE.yaml" in capsys.readouterr().err
    other = tmp_path / "other.yaml"
    other.write_text(REACH.replace("40", "41"))
    assert main(["evaluate", str(file), "--task", str(other)]) == 2
    assert "another content" in capsys.readouterr().err
    assert "reacher_env" not in sys.modules
    rows = json.loads(said("evaluate", str(sent), "--task", str(reach), "--json"))
    assert [row["score"] for row in rows] == [record["final"]["last"] for record in records]
    kept = next((sent / "tasks").iterdir())
    kept.write_text(kept.read_text().replace("40", "41"))
    assert "its content is that of" in str(verify(sent).faults[0].what)
    kept.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        qipo_ray.load_policy(file)


@pytest.mark.slow
def test_without_an_environment_nothing_is_rolled_out(
    pendulum: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pendulum.write_text(PENDULUM.replace("Pendulum-v1", "none"))
    results = tmp_path / "results"
    table = said("train", "--task", str(pendulum), "--results", str(results), *SETS)
    assert f"Left out: 1 finished run ({NO_ENVIRONMENT})" in table
    (record,) = read_records(results)
    assert record["state"] == "finished" and record["reason"] == NO_ENVIRONMENT
    assert record["scores"] == [] and set(record["final"].values()) == {None}
    assert NO_ENVIRONMENT in record["data"]["notes"]
    assert abs(qipo_ray.load_policy(results).act(np.zeros((50, 3)))).max() <= 2
    said("export", str(results), str(tmp_path / "policy.pt2"))
    assert not verify(results).faults
    capsys.readouterr()
    assert main(["evaluate", str(results), "--task", str(pendulum)]) == 2
    assert NO_ENVIRONMENT in capsys.readouterr().err
    assert main(["sweep", "small", "--task", str(pendulum), "--results", str(results)]) == 2
    assert "has no environment, and this search goes by the scores" in capsys.readouterr().err


@pytest.mark.slow
def test_a_search_without_a_simulator_ends_in_a_ranking(pendulum: Path, tmp_path: Path) -> None:
    pendulum.write_text(PENDULUM.replace("Pendulum-v1", "none"))
    tiny = ", ".join(text.replace("=", ": ") for text in TINY if "evaluation.ep" not in text)
    search = tmp_path / "search.yaml"
    search.write_text(SEARCH.format(tiny).replace("[100]", "[100, 101]"))
    words = ["sweep", str(search), "--task", str(pendulum), "--executor", "local"]
    words += ["--objective", "fqe", "--set", "evaluation.fqe_updates=10"]
    assert "evaluation: 0 episodes" in said(*words, "--plan")
    said(*words, "--results", str(tmp_path))
    root = tmp_path / "small"
    records = read_records(root)
    purposes = [record["purpose"] for record in records]
    assert sorted(purposes) == ["confirm"] * 2 + ["search"] * 2
    for record in records:
        assert record["scores"] == [] and record["final"]["last"] is None
        assert record["reason"] == NO_ENVIRONMENT or record["state"] == "pruned"
        assert record["protocol"]["objective"] == "fqe"
        assert record["protocol"]["selection_episodes"] == 0
        assert record["signals"][-1]["fqe"]["mean"] < 0
    (table,) = json.loads(said("leaderboard", str(root), "--json"))["tables"]
    (row,) = table["rows"]
    assert row["rolled_out"] == "nothing" and row["rank"] == 1 and row["fqe"]["seeds"] == 2
    assert row["fqe"]["low"] <= row["fqe"]["mean"] <= row["fqe"]["high"]
    assert "last" not in row
    assert "  confirmed, 2 runs: none has a score" in said("status", str(root))
    trials = json.loads(said("trials", str(root), "--json"))
    best = max(trials, key=lambda trial: (len(trial["values"]), trial["score"]))
    assert {record["trial"] for record in records if record["purpose"] == "confirm"} == {
        best["id"]
    }
    assert "nothing was rolled out" in said("best", str(root)).splitlines()[0]
    said("report", str(root))
    assert not verify(root).faults
    forged = next(record for record in records if record["purpose"] == "search")
    forged["signals"][0]["fqe"]["mean"] += 1
    (root / "records" / f"{forged['id']}.json").write_bytes(sealed(forged))
    faults = " ".join(fault.what for fault in verify(root).faults)
    assert "not the score in record" in faults and f"rung 1 of trial {forged['trial']}" in faults


def test_a_factory_that_ends_the_program_is_one_line(
    pendulum: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pendulum.parent / "quitting.py").write_text("def make():\n    raise SystemExit(0)\n")
    pendulum.write_text(PENDULUM.replace("Pendulum-v1", "quitting:make"))
    for verb in (["data", "check"], ["train", "--task"]):
        assert main([*verb, str(pendulum)]) == 1
        *_, line = capsys.readouterr().err.splitlines()
        assert line.endswith("quitting.py:2 ended the program: SystemExit(0)")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("200", "150", "pendulum.yaml: horizon: 150; the longest episode of "),
        ("actions: [-2, 2]\n", "", "pendulum.yaml: recorded actions reach"),
        ("[-2, 2]", "[-4, 4]", "pendulum.yaml: actions: those of Pendulum-v1 are [-2, 2], not"),
        ("Pendulum-v1", "Pendulm-v1", "pendulum.yaml: environment: 'Pendulm-v1' is no id"),
        ("Pendulum-v1", "CartPole-v1", "pendulum.yaml: actions: those of CartPole-v1 are Discr"),
        (
            "Pendulum-v1",
            "MountainCarContinuous-v0",
            "pendulum.yaml: actions: those of MountainCarContinuous-v0 are [-1, 1], not [-2, 2]",
        ),
        ("discount: 0.9", "discount: .nan", "pendulum.yaml:7: discount must be"),
        ("data: pendulum.hdf5\n", "", "add `data:` to its file, or --data FILE"),
        ("pendulum.hdf5", "gone.hdf5", "gone.hdf5 for task pendulum@"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    before: str,
    after: str,
    words: str,
    pendulum: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pendulum.write_text(PENDULUM.replace(before, after))
    results = tmp_path / "results"
    assert main(["train", "--task", str(pendulum), "--results", str(results), *SETS]) == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1 and not os.path.lexists(results)

"""``qipo-ray train --explain``: no task, no data, nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fixtures.own_tasks import PENDULUM

from qipo_ray.cli.main import main
from qipo_ray.config import field_names, load_config


@pytest.fixture(autouse=True)
def nothing_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QIPO_RESULTS", str(tmp_path / "R"))
    monkeypatch.setenv("COLUMNS", "200")  # no cell of the table breaks


def lines(text: str) -> dict[str, str]:
    """Return the lines of the table by the setting that each begins with."""
    return {line.split()[0]: line for line in text.splitlines() if "." in line.split(" ")[0]}


def test_the_paper_preset_line_by_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["train", "--preset", "paper", "--explain"]) == 0
    printed = capsys.readouterr().out
    table = lines(printed)
    assert tuple(table) == field_names()
    assert table["policy.renew_every"].split()[1:4] == ["10,000", "paper's", "code"]
    assert "K_renew" in table["policy.renew_every"]
    assert "false (paper's code)" in table["sampler.clip"]
    assert "departures from the paper's algorithm: clipped-actions" in printed
    assert list(tmp_path.iterdir()) == []


def test_what_departs_in_the_quickstart_and_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--explain", "--set", "policy.trust=16"]) == 0
    printed = capsys.readouterr().out
    assert "your --set" in lines(printed)["policy.trust"]
    assert "0.0001 (paper's code)" in lines(printed)["behaviour.learning_rate"]
    assert "residual-network" in printed and "trust=16" in printed


def test_what_a_task_file_asks_for_is_its_own(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Where neither the command nor a file of settings names it, as in training."""
    (tmp_path / "pendulum.yaml").write_text(PENDULUM)
    (tmp_path / "mine.yaml").write_text("preset: quickstart\ncritic.discount: 0.5\n")
    for more, shown in (
        ([], "0.9 the task, pendulum.yaml"),
        (["--set", "critic.discount=0.8"], "0.8 your --set"),
        (["--preset", "mine.yaml"], "0.5 mine.yaml:2"),
    ):
        assert main(["train", "--explain", "--task", "pendulum.yaml", *more]) == 0
        line = " ".join(lines(capsys.readouterr().out)["critic.discount"].split())
        assert line.startswith(f"critic.discount {shown} ")


def test_json_holds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--preset", "paper", "--explain", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["departures"] == ["clipped-actions"] and content["preset"] == "paper"
    assert tuple(entry["key"] for entry in content["settings"]) == field_names()
    clip = next(entry for entry in content["settings"] if entry["key"] == "sampler.clip")
    assert clip["value"] is load_config("paper").sampler.clip is True
    assert clip["paper"] == {"value": False, "source": "paper's code"} and clip["from"] == "ours"


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        ([], "--task is missing"),
        (["--explain", "--set", "policy.betta=1"], "did you mean 'policy.beta'?"),
        (["--explain", "--preset", "papper"], "did you mean 'paper'?"),
    ],
)
def test_a_users_mistake_is_one_line(
    extra: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *extra]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and text in printed.err and len(printed.err.splitlines()) == 1

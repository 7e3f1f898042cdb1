"""OGBench's single tasks from generated data to the table, as a user runs them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

from qipo_ray.cli.main import main
from qipo_ray.cli.train import _config
from qipo_ray.data.tasks import SUCCESS_RATES, get_task

TINY = [
    "behaviour.width=16", "behaviour.updates=100", "critic.width=16", "critic.updates=100",
    "critic.returns_updates=0", "policy.rounds=1", "policy.renew_every=100", "policy.pool=100",
    "sampler.evaluations=2", "evaluation.final_episodes=2", "evaluation.episodes=1",
]  # fmt: skip
DOMAIN = "pointmaze-medium-navigate"


@pytest.mark.slow
def test_train_on_generated_data_then_a_line_for_the_data_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ogbench", reason="OGBench is not installed: NOT TRAINED ON ITS TASKS")
    warnings.simplefilter("ignore")  # of packages below it
    file, results = tmp_path / "maze.npz", tmp_path / "R"
    made = ["data", "make", f"{DOMAIN}-singletask", "--rows", "1000", "--output", str(file)]
    assert main(made) == 0
    sets = [part for change in TINY for part in ("--set", change)]
    for number in (1, 2):
        task = ["--task", f"{DOMAIN}-singletask-task{number}", "--data", str(file)]
        assert main(["train", *task, *sets, "--results", str(results), "--jobs", "1"]) == 0
    records = [json.loads(path.read_text()) for path in (results / "records").glob("*.json")]
    assert {record["task"][-1] for record in records} == {"1", "2"}
    for record in records:
        last = record["final"]["last"]
        assert record["protocol"]["scores"] == SUCCESS_RATES
        assert (last["normalised"], last["episodes"]) == (100 * last["success"], 2)
        assert record["data"]["source"] == "generated" and record["data"]["score"] is None
    capsys.readouterr()
    assert main(["leaderboard", str(results), "--by", "family"]) == 0
    out = capsys.readouterr().out
    assert DOMAIN in out and "Success rate in %" in out and "QIPO-OT" in out
    assert main(["verify", str(results)]) == 0


def test_scores_are_over_as_many_episodes_as_published_unless_told_otherwise(
    tmp_path: Path,
) -> None:
    task = get_task(f"{DOMAIN}-singletask-v0")
    assert _config("paper", [], task).evaluation.final_episodes == 50
    asked = ["evaluation.final_episodes=7"]
    assert _config("paper", asked, task).evaluation.final_episodes == 7
    assert _config("paper", [], get_task("point")).evaluation.final_episodes == 100
    preset = tmp_path / "mine.yaml"
    preset.write_text("preset: paper\nevaluation: {final_episodes: 9}\n")
    assert _config(str(preset), [], task).evaluation.final_episodes == 9

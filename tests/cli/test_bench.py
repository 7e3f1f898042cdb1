"""``qipo-ray bench learning`` as a user runs it, with tiny runs on `point`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from qipo_ray.bench import learning, peers
from qipo_ray.cli import bench
from qipo_ray.cli.main import main
from qipo_ray.config import Config, load_config

TINY = [
    "behaviour.width=16", "behaviour.updates=200", "critic.width=16", "critic.updates=100",
    "critic.pool=200", "policy.rounds=2", "policy.renew_every=100", "policy.pool=200",
    "sampler.evaluations=4", "evaluation.final_episodes=5", "evaluation.episodes=3",
]  # fmt: skip


@pytest.mark.slow
def test_tiny_runs_are_judged_kept_and_not_done_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def tiny(name: str, overrides: Sequence[str]) -> Config:
        return load_config(name, [*overrides, *TINY])

    monkeypatch.setattr(learning, "load_config", tiny)
    command = ["bench", "learning", "--tasks", "point", "--results", str(tmp_path / "R")]
    command += ["--seeds", "100,101", "--jobs", "1"]
    assert main([*command, "--json"]) == 1  # so little training cannot reach +40
    first = capsys.readouterr()
    found = json.loads(first.out)
    assert [line["method"] for line in found["lines"]] == [
        "QIPO-OT", "QIPO-OT, beta = 0", "QIPO-Diff", "QIPO-Diff, beta = 0",
    ]  # fmt: skip
    assert "critic report: between actions of a state Q varies" in first.err
    for line in found["lines"]:
        assert [one["seed"] for one in line["seeds"]] == [100, 101] and not line["missing"]
        assert all(one["cpu_s"] > 0 for one in line["seeds"])
    assert found["lines"][0]["demands"][0]["met"] is False
    kept = (tmp_path / "R" / "learning.json").read_bytes()
    assert main([*command, "--markdown"]) == 1
    second = capsys.readouterr()
    assert second.err.count("nothing to do: all 2 runs are in") == 4
    assert (tmp_path / "R" / "learning.json").read_bytes() == kept
    assert second.out == (tmp_path / "R" / "learning.md").read_text()
    assert second.out.startswith("## Learning on small budgets")


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        (["--tasks", "pont"], "--tasks 'pont' (did you mean 'point'?): there are point, maze"),
        (["--tasks", "cheetah"], "--data: cheetah needs the folder with halfcheetah"),
        (["--seeds", "1,x"], "--seeds '1,x': expected whole numbers from 0"),
    ],
)
def test_a_users_mistake_is_one_line_and_trains_nothing(
    extra: list[str], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "learning", "--results", str(tmp_path / "R"), *extra]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and text in printed.err.splitlines()[-1]
    assert not (tmp_path / "R" / "artefacts").exists()


@pytest.mark.slow
def test_peers_are_trained_beside_qipo_and_not_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def tiny(name: str, overrides: Sequence[str]) -> Config:
        small = ["iql.updates=20", "td3bc.updates=20", "policy.data_updates=20"]
        return load_config(name, ["critic.returns_updates=100", *TINY, *small, *overrides])

    tasks = [learning.BenchTask(name, "point", f"{name}.hdf5", {}) for name in ("points", "other")]
    monkeypatch.setattr(peers, "load_config", tiny)
    monkeypatch.setattr(bench, "PEER_TASKS", tuple(tasks))
    for seed, task in enumerate(tasks):  # two files of one task
        path = str(tmp_path / str(task.file))
        assert main(["data", "make", "point", "--output", path, "--seed", str(seed)]) == 0
    command = ["bench", "peers", "--data", str(tmp_path), "--results", str(tmp_path / "R")]
    command += ["--seeds", "200", "--jobs", "1"]
    capsys.readouterr()
    code = main([*command, "--json"])
    first = capsys.readouterr()
    numbers = json.loads(first.out)
    assert code == (0 if numbers["met"] else 1)
    methods = [line["method"] for line in numbers["lines"]]
    assert methods == 2 * ["QIPO-OT", peers.CLONING, peers.BEST_TENTH, "IQL", "TD3+BC"]
    assert all(line["data"] == "generated" for line in numbers["lines"])
    assert numbers["lines"][0]["seeds"][0]["evidence"]["episodes"] > 5
    qipo, cloning = (line["seeds"][0] for line in numbers["lines"][:2])
    assert None is not qipo["own_clone"] != cloning["score"]  # which is trained on from there
    assert main(command) == code
    assert capsys.readouterr().err.count("nothing to do: the run is in") == 10
    assert main([*command, "--files", "pointz"]) == 2
    assert "--files 'pointz' (did you mean 'points'?)" in capsys.readouterr().err

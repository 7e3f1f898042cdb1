"""A sweep over methods on a file of one's own, with baselines: from the search to acting."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from qipo_ray import load_policy
from qipo_ray.cli.main import main
from qipo_ray.evaluation.generate import generate
from qipo_ray.store.records import read_records

SPACE = """\
name: methods
tasks: [point]
data: {point: mine.hdf5}
preset: quickstart
set:
  behaviour.width: 16
  behaviour.updates: 60
  critic.width: 16
  critic.updates: 40
  critic.returns_updates: 40
  policy.rounds: 1
  policy.renew_every: 60
  policy.pool: 100
  policy.data_updates: 30
  sampler.evaluations: 4
  iql.width: 16
  iql.updates: 90
  evaluation.episodes: 2
  evaluation.final_episodes: 4
space:
  policy.method: {grid: [qipo, iql, cloning]}
baselines:
  best tenth: {policy.method: cloning, behaviour.best_episodes: 0.1}
  TD3+BC: {policy.method: td3bc, td3bc.width: 16, td3bc.updates: 60}
  one step: {policy.method: fql, fql.width: 16, fql.layers: 2, fql.updates: 60}
  best of 4: {policy.method: bestofn, bestofn.actions: 4}
  QGPO: {policy.method: qgpo, qgpo.width: 16, qgpo.updates: 60, qgpo.pool: 100}
trials: 3
seeds: {search: [0], report: [100, 101]}
rungs: {shares: [1/3, 1], reduction: 3}
"""


@pytest.mark.slow
def test_methods_are_searched_beside_baselines(
    private_home: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("methods.yaml").write_text(SPACE)
    generate("point", tmp_path / "mine.hdf5", rows=1500)
    assert main(["sweep", "methods.yaml", "--executor", "local"]) == 0
    root = tmp_path / "results" / "methods"
    assert main(["verify", str(root)]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
    confirmed = [r for r in read_records(root) if r["purpose"] == "confirm"]
    rows = {(r["label"]["method"], r["label"]["name"]) for r in confirmed}
    assert rows == {
        ("QIPO-OT", "search, best"), ("IQL", "search, best"), ("cloning (OT)", "search, best"),
        ("cloning of the best 0.1 (OT)", "best tenth"), ("TD3+BC", "TD3+BC"),
        ("FQL (OT)", "one step"), ("best of 4 (OT)", "best of 4"), ("QGPO (OT)", "QGPO"),
    }  # fmt: skip
    assert len(confirmed) == 2 * len(rows)
    clones = {r["jobs"]["behaviour"] for r in confirmed if r["label"]["method"] != "IQL"}
    assert len(clones - {None}) == 4  # QIPO's is that of all but the best tenth, on each seed
    critics = {r["jobs"]["critic"] for r in confirmed} - {None}
    assert len(critics) == 2
    for record in confirmed:
        assert record["data"]["rows"] == 1500
        trained = [stage for stage, key in record["jobs"].items() if key is not None]
        assert trained[-1] == "policy" and (record["critic_report"] is None) == (len(trained) < 3)
        path = root / "records" / f"{record['id']}.json"
        assert np.abs(load_policy(path).act(np.zeros(2))).max() <= 1
        change = {"best of 4": "bestofn.actions=9", "QGPO": "qgpo.guidance=3"}
        if (name := record["label"]["name"]) in change:
            assert main(["evaluate", str(path), "--json", "--set", change[name]]) == 0
    printed = capsys.readouterr().out
    assert printed.count('"best_of": 9') == printed.count('"guidance": 3.0') == 2


@pytest.mark.slow
def test_what_was_found_is_scored_in_other_ways_to_act_and_trains_nothing(
    private_home: None,
    without_report: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    """Added to a sweep that has ended: each way where the method can, of the very same jobs."""
    monkeypatch.chdir(tmp_path)
    plain = SPACE.split("baselines:")[0] + SPACE[SPACE.index("trials:") :].replace(", 101", "")
    plain += "resources: {workers: 1}\n"
    plain = plain.replace("set:\n", "set:\n  distil.updates: 20\n  distil.width: 16\n")
    assert "distil.width" in plain
    Path("methods.yaml").write_text(plain)
    generate("point", tmp_path / "mine.hdf5", rows=1500)
    sweep = ["sweep", "methods.yaml", "--executor", "local"]
    assert main(sweep) == 0
    root = tmp_path / "results" / "methods"
    before = {r["id"]: r for r in read_records(root)}
    snapshots = {path: path.read_bytes() for path in root.glob("artefacts/*/0*")}
    ways = "acting: {mode: {sampler.noise: 0}, best of 3: {sampler.best_of: 3}, "
    ways += "one step: {sampler.one_step: true}}\n"
    Path("methods.yaml").write_text(plain + ways)
    assert main(sweep) == 2
    refused = capsys.readouterr().err
    assert "acting.best of 3.sampler.best_of: nothing -> 3; acting.one step" in refused
    assert "sampler.one_step: nothing -> true; add --extend" in refused
    assert main([*sweep, "--extend"]) == 0
    records = {r["id"]: r for r in read_records(root)}
    assert {key: records[key] for key in before} == before
    assert {path: path.read_bytes() for path in root.glob("artefacts/*/0*")} == snapshots
    acting = [r for key, r in records.items() if key not in before]
    assert Counter((r["label"]["method"], r["label"]["name"]) for r in acting) == {
        ("QIPO-OT", "search, best; mode"): 1, ("QIPO-OT", "search, best; best of 3"): 1,
        ("cloning (OT)", "search, best; mode"): 1,
        ("QIPO-OT", "search, best; one step"): 1, ("cloning (OT)", "search, best; one step"): 1,
    }  # fmt: skip
    confirmed = {r["label"]["method"]: r for r in before.values() if r["purpose"] == "confirm"}
    for record in acting:
        one = confirmed[record["label"]["method"]]
        assert record["purpose"] == "acting" and record["jobs"] == one["jobs"]
        assert record["final"]["last"]["mean"] != one["final"]["last"]["mean"]
        assert len(record["scores"]) == 1 and record["final"]["action_latency_ms"] > 0
        assert record["cost"]["reused_s"] > 0
        one_step = "one step" in record["label"]["name"]
        assert (record["protocol"]["sampler"] == "one-step") == one_step
        best = 3 if "best of" in record["label"]["name"] else 1
        assert record["protocol"]["best_of"] == best
    board = (root / "leaderboard" / "leaderboard.md").read_text()
    assert "search, best; mode" in board and "search, best; best of 3" in board
    capsys.readouterr()
    assert main(["verify", str(root)]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
    best = next(r["id"] for r in acting if r["protocol"]["best_of"] == 3)
    path = root / "records" / f"{best}.json"
    assert main(["reproduce", str(path), "--run", "--data", "mine.hdf5"]) == 0
    assert "equal to the last bit" in capsys.readouterr().out

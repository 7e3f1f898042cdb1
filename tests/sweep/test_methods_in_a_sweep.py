"""A sweep over methods on a file of one's own, with baselines: from the search to acting."""

from __future__ import annotations

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

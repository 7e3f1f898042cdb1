"""The own method of the page, from a search to acting; and a record of such a method alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fixtures.own_methods import NAME, PART

import qipo_ray
from qipo_ray.cli.main import main
from qipo_ray.config.own_methods import own_methods
from qipo_ray.errors import UserError
from qipo_ray.store.records import read_records

SMALL = """\
set:
  behaviour.width: 16
  behaviour.updates: 40
  critic.width: 16
  critic.updates: 40
  critic.returns_updates: 40
  policy.rounds: 1
  policy.renew_every: 60
  policy.pool: 100
  sampler.evaluations: 2
  awr.width: 16
  awr.updates: 150
  evaluation.episodes: 1
  evaluation.final_episodes: 2
rungs: {shares: [1/3, 1], reduction: 3}
resources: {workers: 2}
"""


@pytest.mark.slow
def test_the_page_from_its_search_to_a_policy(
    own_module: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    """In processes of their own, beside QIPO; then to the last bit, alone."""
    own_module()
    (search,) = re.findall(r"```yaml\n(.*?)```", PART, re.DOTALL)
    begin, _, end = search.partition("set: {awr.width: 64, awr.updates: 3000}\n")
    text = f"{begin}{SMALL}{end}".replace("trials: 6", "trials: 3").replace("[100, 101]", "[100]")
    Path("own.yaml").write_text(text)
    assert main(["sweep", "own.yaml", "--executor", "local"]) == 0
    root = Path("results") / "own"
    assert main(["verify", str(root)]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
    records = {record["label"]["method"]: record for record in read_records(root)}
    assert records.keys() == {"QIPO-OT", "AWR"} and "awr" not in records["QIPO-OT"]["config"]
    assert all(record["state"] in ("finished", "pruned") for record in records.values())
    best = [record for record in read_records(root) if record["purpose"] == "confirm"]
    path = next(
        root / "records" / f"{r['id']}.json" for r in best if r["label"]["method"] == "AWR"
    )
    policy = qipo_ray.load_policy(path)
    assert policy.act(np.zeros(2)).shape == (2,)
    assert main(["reproduce", str(path), "--run"]) == 0
    assert "equal to the last bit" in capsys.readouterr().out
    assert main(["export", str(path), "policy.pt2"]) == 0
    assert main(["leaderboard", str(root), "--json"]) == 0
    assert '"AWR"' in capsys.readouterr().out


def test_a_record_of_such_a_method_asks_for_it(
    own_module: Callable[..., str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    more = "    scale: Annotated[own.Weight, own.Ours(1.0, 'of actions'), own.ActingOnly()]\n\n\n"
    named = own_module(("\n\nclass AWRPack", f"{more}class AWRPack"))
    few = ["awr.width=8", "awr.updates=20", "evaluation.final_episodes=1"]
    sets = [part for change in (f"policy.method={named}", *few) for part in ("--set", change)]
    assert main(["train", "--task", "point", *sets, "--results", "R"]) == 0
    (path,) = (tmp_path / "R" / "records").glob("*.json")
    forget = own_methods.copy()
    qipo_ray.config.METHODS.pop(named)
    own_methods.clear()
    del qipo_ray.config.schema.SECTIONS["awr"]
    capsys.readouterr()
    asked = f"if you trust it, qipo-ray --use {NAME} ..., or in Python use='{NAME}'"
    for words in (["evaluate"], ["export", "p.pt2"], ["reproduce", "--run"]):
        verb, *rest = words
        assert main([verb, str(path), *rest]) == 2
        line = capsys.readouterr().err
        assert line.startswith("error: record ") and asked in line and line.count("\n") == 1
    with pytest.raises(UserError, match="not imported unasked"):
        qipo_ray.load_policy(path)
    assert main(["leaderboard", "R"]) == 0 and "AWR" in capsys.readouterr().out
    assert main(["--use", NAME, "evaluate", str(path)]) == 0
    assert own_methods == forget
    capsys.readouterr()
    assert main(["evaluate", str(path), "--set", "awr.scale=0.5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["protocol"]["awr.scale"] == 0.5
    assert main(["evaluate", str(path), "--set", "awr.width=9"]) == 2
    assert "evaluate changes only sampler.solver, " in capsys.readouterr().err
    assert qipo_ray.load_policy(path, use=NAME).act(np.zeros(2)).shape == (2,)
    monkeypatch.setattr(qipo_ray.config.METHODS[NAME], "network", lambda *sizes: sizes[7])
    for words in (["evaluate"], ["export", "p.pt2"]):  # it breaks: no mistake of this command's
        verb, *rest = words
        assert main([verb, str(path), *rest]) == 1
        line = capsys.readouterr().err
        assert line.startswith(f"error: method {NAME}: IndexError in ") and line.count("\n") == 1

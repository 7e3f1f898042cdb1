from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qipo_ray.leaderboard.health import warnings_of

Build = Callable[..., dict[str, Any]]


def test_warnings(tmp_path: Path, make_record: Build) -> None:
    fine = [make_record(50.0 + seed, seed=seed) for seed in range(5)]
    assert warnings_of(fine, tmp_path) == []
    folder = tmp_path / "artefacts" / f"policy-{'d' * 16}"
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text("updates,ess\n100,9.0\n200,1.25\n")
    (told,) = warnings_of(fine, tmp_path)
    assert "rest on 1.2 of" in told
    held = [record | {"health": {"policy": {"ess": 1.4}}} for record in fine]
    assert "rest on 1.4 of" in warnings_of(held, tmp_path / "elsewhere")[0]
    held = [record | {"health": {"behaviour": {"loss": 1.0}, "policy": None}} for record in fine]
    assert warnings_of(held, tmp_path) == []
    for record in held[1:3]:
        record["policy_report"] = {"warnings": ["beyond: it is"]}
    (told,) = warnings_of(held, tmp_path)
    assert told.endswith("policy: beyond: it is (2 of 2 seeds).")
    for record in fine[:3]:
        record["critic_report"] = {"warnings": [f"little: by {record['seed']}", "nothing: x"]}
    fine[3]["critic_report"] = {"warnings": []}
    (little, nothing, _) = warnings_of(fine, tmp_path)
    assert little.endswith("critic: little: by 0 (3 of 4 seeds).")
    assert nothing.endswith("critic: nothing: x (3 of 4 seeds).")
    broken = make_record(None, seed=9, state="diverged")
    assert "1 of 6 runs diverged: as asked (1)." in warnings_of([*fine, broken], tmp_path)
    fine[0]["provenance"]["dirty"] = True
    assert any("no commit holds" in words for words in warnings_of(fine, tmp_path))

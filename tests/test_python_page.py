"""The page on Python: its search file and its code, as they stand but for sizes."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import qipo_ray
from qipo_ray.data.locate import generated_path
from qipo_ray.data.tasks import get_task
from qipo_ray.errors import UserError
from qipo_ray.evaluation.generate import generate
from qipo_ray.leaderboard import Leaderboard, board, from_records
from qipo_ray.store.records import read_records
from qipo_ray.sweep import run

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
TINY = (
    "behaviour.width=16", "behaviour.updates=60", "critic.width=16", "critic.updates=40",
    "critic.returns_updates=40", "policy.rounds=1", "policy.renew_every=60", "policy.pool=100",
    "sampler.evaluations=4", "evaluation.final_episodes=2", "evaluation.episodes=1",
)  # fmt: skip


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.mark.slow
def test_every_line_of_the_page(
    private_home: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "_report", lambda root, screen: None)
    monkeypatch.setenv("QIPO_DATA", str(tmp_path / "data"))
    generate("point", generated_path(get_task("point")), rows=1000)
    (search,) = blocks("yaml")
    Path("small_search.yaml").write_text(search)
    names: dict[str, Any] = {}
    for block in blocks("python"):
        exec(block.replace('["policy.rounds=1"]', str(list(TINY))), names)
    records = read_records(Path("results"))
    assert {r["provenance"]["command"] for r in records} == {"qipo_ray.Sweep.run"}
    assert {r["seed"] for r in records if r["purpose"] == "confirm"} == {100, 101}
    assert names["plan"]["tasks"][0]["trials"] == 3
    assert [updates for updates, _ in names["scores"]] == [60]
    assert {record["seed"] for record in read_records(Path("single"))} == {7}
    frame = names["frame"]
    assert {"search, best", "quickstart"} <= set(frame["name"])
    assert set(frame["last_mean"].round(6)) >= {round(r.last.mean, 6) for r in names["board"].rows}
    assert names["action"].shape == (2,)


def test_what_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(board, "import_module", missing)
    with pytest.raises(UserError, match="to_pandas needs pandas: pip install pandas"):
        from_records([]).to_pandas()
    with pytest.raises(UserError, match="no such folder"):
        Leaderboard.load(tmp_path / "R")
    with pytest.raises(AttributeError, match="has no attribute 'Swep'"):
        qipo_ray.Swep  # noqa: B018


def test_the_package_alone_imports_nothing_of_it() -> None:
    code = "import sys, qipo_ray; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "qipo_ray.api", "qipo_ray.cli"} & set(done.stdout.split())


def test_a_sweep_from_python_has_the_options_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QIPO_DATA", str(tmp_path / "data"))
    generate("point", generated_path(get_task("point")), rows=300)
    (search,) = blocks("yaml")
    (tmp_path / "small_search.yaml").write_text(search)
    sweep = qipo_ray.Sweep.from_yaml(
        tmp_path / "small_search.yaml", trials=5, objective="td_error", report_seeds="7-9"
    )
    spec = sweep.spec
    listed = qipo_ray.Sweep.from_yaml(
        tmp_path / "small_search.yaml", tasks="point", changes="policy.rounds=1",
        report_seeds=[7, 8],
    ).spec  # fmt: skip
    assert (listed.tasks, listed.base.policy.rounds) == (("point",), 1)
    assert listed.report_seeds == (7, 8)
    with pytest.raises(UserError, match="--hours: expected a number above 0; got nan"):
        sweep.run(tmp_path, hours=math.nan)
    with pytest.raises(UserError, match="seeds: expected at least one, from 0; got "):
        qipo_ray.train_policy("quickstart", "point", seeds=[-1], results=tmp_path)
    with pytest.raises(UserError, match="this Config is whole"):
        qipo_ray.train_policy(spec.base, "point", changes="policy.rounds=1", results=tmp_path)
    assert (spec.trials, spec.objective, spec.report_seeds) == (5, "td_error", (7, 8, 9))
    with pytest.raises(UserError, match="--executor 'lokal' .*expected ray or local"):
        sweep.run(tmp_path, executor="lokal")  # type: ignore[arg-type]

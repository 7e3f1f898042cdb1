"""A sweep whose confirm step is a race: broken off, resumed, ended by hours, and verified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.cli.main import main
from qipo_ray.data.load import load
from qipo_ray.errors import UserError
from qipo_ray.evaluation.generate import generate
from qipo_ray.leaderboard import race
from qipo_ray.store.records import read_records
from qipo_ray.study.search_file import load_search_file
from qipo_ray.sweep.executors import SweepRun
from qipo_ray.sweep.hours import Budget
from qipo_ray.sweep.run import Options, run_sweep
from qipo_ray.train.run_record import RunContext
from qipo_ray.verify import verify

CONTEXT = RunContext("tiny", None, "search", None, "a test", "2026-01-01T00:00:00+00:00")


class Said(list[str]):
    """A screen that keeps what is said."""

    def line(self, text: str) -> None:
        self.append(text)

    def update(self, share: float, left: float | None, detail: str) -> None:
        assert 0 <= share <= 1


def confirmed(root: Path) -> Counter[int]:
    """The number of confirmed runs by seed."""
    return Counter(r["seed"] for r in read_records(root) if r["purpose"] == "confirm")


@pytest.mark.slow
def test_a_race_that_is_broken_off_and_ended_by_hours_goes_on_as_it_would_have(
    without_report: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # The paper's form is clearly worse at the first look, and the other two never are.
    monkeypatch.setattr(race, "_still_in", lambda runs: [c for c in runs if c[0] != "paper form"])
    data = load("point", generate("point", tmp_path / "point.hdf5", rows=1000))
    spec, root = load_search_file(Path(__file__).with_name("tiny.yaml")), tmp_path / "R"
    spec = replace(spec, trials=3, search_seeds=(0,), race=(110, 111))
    confirm_round, clock = SweepRun._confirm_round, {"now": 0.0}

    def sweep(budget: Budget | None = None) -> list[str]:
        screen, options = Said(), Options("local", False, None, 1, budget=budget)
        board = run_sweep(spec, root, {"point": data}, CONTEXT, options, screen)
        assert verify(root).faults == ()
        return [*screen, *board.races]

    def break_off(self: SweepRun, *args: Any) -> None:
        confirm_round(self, *args)
        raise KeyboardInterrupt

    def take_all_the_time(self: SweepRun, *args: Any) -> None:
        confirm_round(self, *args)
        if any(one.run.seed == 110 for one in args[0]):
            clock["now"] = 59.0

    with monkeypatch.context() as patch:
        patch.setattr(SweepRun, "_confirm_round", break_off)
        with pytest.raises(KeyboardInterrupt):
            sweep()
    assert confirmed(root) == {100: 3, 101: 3} and verify(root).faults == ()
    assert verify(root).counts["never started"] == 2  # the round that the race asks for
    said = sweep(Budget(9, 0, confirm=28, trial=1, clock=lambda: 0.0))  # no room for a round
    assert "the hours end here, with 0 of 2 seeds of the race" in said
    assert "raced on from 2 report seeds, to 2 of 4; the race ended, for its hours" in said[-1]
    assert confirmed(root) == {100: 3, 101: 3}
    with monkeypatch.context() as patch:
        patch.setattr(SweepRun, "_confirm_round", take_all_the_time)
        said = sweep(Budget(60, 0, confirm=28, trial=1, clock=lambda: clock["now"]))
    assert "the hours end here, with 1 of 2 seeds of the race" in said
    assert (
        "2 of 3 configurations raced on from 2 report seeds, to 3 of 4; the race ended, for its "
        "hours, or a changed file, left out the rest. Not clearly worse" in said[-1]
    )
    assert confirmed(root) == {100: 3, 101: 3, 110: 2}
    with pytest.raises(UserError, match=r"confirm.race: \[110\] -> \[110, 111\]; add --extend"):
        sweep()
    # A round is half of the confirm step: 14 of 15 seconds.
    said = sweep(Budget(15, 0, confirm=28, trial=1, clock=lambda: clock["now"]))
    assert confirmed(root) == {100: 3, 101: 3, 110: 2, 111: 2}
    assert "to 4 of 4; the race ended, for its seeds are used up. Not clearly worse" in said[-1]
    assert sweep()[-2].startswith("nothing to do")
    with pytest.raises(UserError, match=r"confirm.race: .* add --extend"):  # no hours took these
        longer, options = replace(spec, race=(110, 111, 112)), Options("local", False, None, 1)
        options = replace(options, budget=Budget(600, 0, confirm=28, trial=1))
        run_sweep(longer, root, {"point": data}, CONTEXT, options, Said())
    capsys.readouterr()
    assert main(["leaderboard", str(root)]) == 0
    assert "".join(said[-1].split()) in "".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("race", "words"),
    [
        ("100-104", "confirm.race shares 100, 101 with seeds.report; it names the seeds that"),
        ("[0, 110]", "confirm.race shares 0 with seeds.search; a configuration's score on a seed"),
        ("[110, 110]", "confirm.race has 110 twice"),
        ("x", "confirm.race"),
        ("110-112}\nobjective: fqe #", "compares scores of rollouts, and this search goes by fqe"),
    ],
)
def test_seeds_that_cannot_race_are_one_line(
    write_file: Callable[[str], Path], race: str, words: str
) -> None:
    space = "space: {policy.beta: {loguniform: [5, 60]}}\n"
    with pytest.raises(UserError, match=words):
        load_search_file(write_file(f"{space}confirm: {{top: 1, race: {race}}}\n"))

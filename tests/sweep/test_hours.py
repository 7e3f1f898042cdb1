"""Hours of a sweep: what fits, what is refused, and a sweep that ends early and goes on later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from qipo_ray.cli import sweep as command
from qipo_ray.cli.main import main
from qipo_ray.data.load import load
from qipo_ray.errors import UserError
from qipo_ray.evaluation.generate import generate
from qipo_ray.store.files import sealed, write_bytes
from qipo_ray.store.intents import read_intents
from qipo_ray.store.lease import Lease, driven_seconds
from qipo_ray.store.records import read_records
from qipo_ray.study.search_file import load_search_file
from qipo_ray.study.search_spec import Resources
from qipo_ray.sweep.executors import count_processes
from qipo_ray.sweep.hours import Budget, limit_of
from qipo_ray.sweep.run import Options, run_sweep
from qipo_ray.train.probe import RunCost, Span, StageCost
from qipo_ray.train.run_record import RunContext
from qipo_ray.verify import verify

AUTO = Resources(workers="auto", cpus=1.0, gpus=0.0, slots=1)


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_trials_begin_while_the_rest_holds_the_confirm_step() -> None:
    clock = Clock()
    budget = Budget(100, spent=20, confirm=30, trial=10, clock=clock)
    assert budget.left == 80 and budget.holds(5) and not budget.holds(6)
    clock.now += 20  # two trials took as long as expected
    assert budget.left == 60 and budget.holds(3, ended=2) and not budget.holds(4, ended=2)
    clock.now += 10  # no: half as long again, and so will the confirm step
    assert budget.holds(0, ended=2) and not budget.holds(1, ended=2)
    assert Budget(100, 0, 30, 10, clock).holds(7)
    clock.now += 60
    assert not budget.holds(0)


def test_the_time_of_all_drivers_counts(tmp_path: Path) -> None:
    clock = Clock()
    assert driven_seconds(tmp_path) == 0
    for seconds in (50, 7):
        lease = Lease.take(tmp_path, clock)
        clock.now += seconds
        lease.beat()  # the last sign of one that was killed
        holder = replace(lease.holder, released=True)
        write_bytes(tmp_path / "driver" / f"{lease.attempt:06d}.json", sealed(asdict(holder)))
        clock.now += 1000
    assert driven_seconds(tmp_path) == 57


def test_hours_that_cannot_hold_the_confirm_step_are_one_line(
    write_file: Callable[[], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cost = RunCost(
        {s: StageCost(Span(1, 1), 9) for s in ("behaviour", "critic", "policy")}, Span()
    )
    monkeypatch.setattr(command, "probe", lambda run, device: cost)
    path = generate("point", tmp_path / "point.hdf5", rows=300)
    line = ["sweep", str(write_file()), "--data", str(path), "--results", str(tmp_path / "R")]
    assert main([*line, "--hours", "1.5"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("error: --hours 1.5: the confirm step, 4 runs, takes up to ")
    assert "and the first trials of each task " in error and "give at least " in error
    least = float(error.split("give at least ")[1].split(",")[0])
    assert 4 * 3000 * 3 * 1.5 / 3600 / 2 < least < 60  # the lengths of the preset
    wall = least
    search = Path(line[1])
    search.write_text(search.read_text() + "resources: {workers: 4, gpus: 0.5}\n")
    assert main([*line, "--gpu-hours", "0.5", "--hours", "50"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: --gpu-hours 0.5: the confirm step, 4 runs, takes up to ")
    assert error.count(" GPU hours") == 2 and error.count("\n") == 1
    least = float(error.split("give at least ")[1].split(",")[0])
    assert least == pytest.approx(2 * wall / (4 / count_processes(AUTO)), rel=0.01)
    monkeypatch.setattr(command, "probe", lambda run, device: RunCost({}, Span()))
    assert main([*line, "--hours", "50"]) == 2
    assert "--hours: nothing tells what qipo takes here" in capsys.readouterr().err
    assert not (tmp_path / "R").exists()


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        (AUTO, "the workers have no GPU"),
        (replace(AUTO, gpus=1.0), "with workers: auto nothing says how many GPUs"),
    ],
)
def test_gpu_hours_need_a_number_of_gpus(resources: Resources, words: str) -> None:
    with pytest.raises(UserError, match=f"--gpu-hours: {words}"):
        limit_of(None, 4.0, resources)


def test_the_limit_that_ends_first_counts() -> None:
    two = Resources(workers=4, cpus=1.0, gpus=0.5, slots=1)
    assert limit_of(None, None, two) is None
    for hours, option, wall in ((3.0, "--gpu-hours", 2.5), (2.0, "--hours", 2.0)):
        limit = limit_of(hours, 5.0, two)
        assert limit is not None and (limit.option, limit.wall) == (option, wall)


class Said:
    """A screen that keeps what is said, and moves the clock as trials end."""

    def __init__(self, clock: Clock, seconds: float = 0.0) -> None:
        self.clock, self.seconds = clock, seconds
        self.said: list[str] = []

    def line(self, text: str) -> None:
        self.said.append(text)
        if text.startswith("point "):
            self.clock.now += self.seconds

    def update(self, share: float, left: float | None, detail: str) -> None:
        """Nothing."""


@pytest.mark.slow
def test_a_sweep_ends_early_in_confirmed_rows_and_goes_on_with_more_hours(
    without_report: None, tmp_path: Path
) -> None:
    """Hours for three trials of six; the same again; then more hours; each time all is sound."""
    path = generate("point", tmp_path / "point.hdf5", rows=1000)
    spec, data = load_search_file(Path(__file__).with_name("tiny.yaml")), load("point", path)
    spec, root, clock = (
        replace(spec, search_seeds=(0,), report_seeds=(100,)),
        tmp_path / "R",
        Clock(),
    )
    context = RunContext("tiny", None, "search", None, "a test", "2026-01-01T00:00:00+00:00")

    def run(budget: Budget | None) -> list[str]:
        screen = Said(clock, 10.0)
        options = Options("local", False, None, 1, budget=budget)
        run_sweep(spec, root, {"point": data}, context, options, screen)
        return screen.said

    said = run(Budget(60, 0, confirm=25, trial=10, clock=clock))
    (end,) = (text for text in said if text.startswith("the hours end here"))
    assert "with 3 of 6 trials for each task" in end
    assert len(read_intents(root)) == 3
    first = {record["id"] for record in read_records(root) if record["purpose"] == "confirm"}
    assert first and verify(root).faults == ()
    configs = {record["label"]["name"] for record in read_records(root)}
    assert "search, best" in configs
    assert run(Budget(60, 55, 25, 10, clock))[-1].startswith("nothing to do: the sweep at")
    with pytest.raises(UserError, match="another specification: trials: 3 -> 6; add --extend"):
        run(None)
    run(Budget(600, 55, confirm=25, trial=10, clock=clock))
    assert len(read_intents(root)) == 6 and verify(root).faults == ()
    assert {record["id"] for record in read_records(root)} > first

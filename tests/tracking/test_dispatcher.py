"""Services that fail or hang: training goes on, its records are whole, and one line says so."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from qipo_ray.config import Config
from qipo_ray.data.transitions import Dataset
from qipo_ray.store.records import read_records
from qipo_ray.study.job import Run
from qipo_ray.study.job_events import JobEvent
from qipo_ray.sweep.train_runs import _logged, plan_runs, train_runs
from qipo_ray.tracking import dispatcher as dispatcher_module
from qipo_ray.tracking.dispatcher import LogDispatcher, LoggerThread
from qipo_ray.tracking.loggers import LoggedRun, LogRow
from qipo_ray.train.run_record import RunContext

CONTEXT = RunContext(
    sweep="train",
    trial=None,
    purpose="single",
    name="tiny",
    command="qipo-ray train",
    started="2026-01-01T00:00:00+00:00",
)
OFF = "{} is switched off: {}; training and records go on"
SOON = 20.0  # seconds: far more than nothing, far less than a hanging service


class FakeView:
    """A view that counts, and may be told to raise or to hang."""

    def __init__(self, act: Callable[[str], None] = lambda name: None) -> None:
        self.act = act
        self.calls: list[str] = []
        self("open")

    def __call__(self, name: str) -> None:
        self.calls.append(name)
        self.act(name)

    def sync(self) -> None:
        self("sync")

    def close(self) -> None:
        self("close")

    def write(self, rows: Sequence[LogRow]) -> None:
        self("write")


class Oddity(BaseException):
    """Not even an Exception."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher_module, "SYNC_EVERY_S", 0.001)


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    """An event that a hanging service waits for; it comes when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def never() -> bool:
    return False


def test_news_are_shown_and_what_ended_is_closed() -> None:
    thread, ended = LoggerThread("test"), threading.Event()
    first, second = FakeView(), FakeView()
    thread.follow("first", lambda: first, ended.is_set)
    thread.follow("second", lambda: second, never)
    eventually(lambda: second.calls == ["open", "sync"])
    thread.notify(["second"])
    eventually(lambda: second.calls == ["open", "sync", "sync"])
    ended.set()
    eventually(lambda: first.calls == ["open", "sync", "close"])
    assert list(thread._views) == ["second"] == list(thread._followed)
    thread.finish()
    thread.wait(SOON)
    assert second.calls == ["open", "sync", "sync", "close"]
    assert first.calls.count("close") == 1


@pytest.mark.parametrize("at", ["open", "sync", "close"])
@pytest.mark.parametrize("error", [ValueError, OSError, SystemExit, KeyboardInterrupt, Oddity])
def test_whatever_a_service_raises_is_one_line(
    at: str, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def act(name: str) -> None:
        if name == at:
            raise error("no\nroute to\n\nhost")

    thread, sound = LoggerThread("test"), LoggerThread("sound")
    view = FakeView()
    thread.follow("bad", lambda: FakeView(act), never)
    thread.follow("good", FakeView, never)
    sound.follow("good", lambda: view, never)
    for _ in range(3):
        thread.notify(["bad", "good"])
    for item in (thread, sound):
        item.finish()
        item.wait(SOON)
    assert caplog.messages == [OFF.format("test", "no route to host")]
    assert view.calls == ["open", "sync", "close"]


def test_a_service_that_hangs_holds_up_nobody(
    hang: threading.Event, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = LoggerThread("test")
    entered = threading.Event()

    def act(name: str) -> None:
        entered.set()
        hang.wait()

    thread.follow("bad", lambda: FakeView(act), never)
    assert entered.wait(SOON)
    start = time.monotonic()
    thread.notify(["bad"])
    assert caplog.messages == []
    monkeypatch.setattr(dispatcher_module, "STALL_S", 0.0)
    thread.notify(["bad"])
    thread.notify(["bad"])
    assert caplog.messages == [OFF.format("test", "no answer for 0 s")]
    thread.finish()
    thread.wait(0.01)
    assert time.monotonic() - start < SOON
    assert len(caplog.messages) == 1


def test_a_close_takes_no_longer_than_it_may(
    hang: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    thread = LoggerThread("test")

    def act(name: str) -> None:
        hang.wait()

    thread.follow("bad", lambda: FakeView(act), never)
    thread.finish()
    start = time.monotonic()
    thread.wait(0.05)
    assert time.monotonic() - start < SOON
    assert caplog.messages == [OFF.format("test", "it did not take in the rest in time")]


def test_a_service_that_is_given_up_is_asked_to_leave_and_not_waited_for(
    hang: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    asked = threading.Event()

    def leave() -> None:
        asked.set()
        hang.wait()

    def act(name: str) -> None:
        raise ValueError(name)

    thread, sound = LoggerThread("test", leave), LoggerThread("sound", leave)
    for item, make in ((sound, FakeView), (thread, lambda: FakeView(act))):
        assert not asked.is_set()
        item.follow("key", make, never)
        item.finish()
        item.wait(SOON)
    assert asked.wait(SOON)
    assert caplog.messages == [OFF.format("test", "open")]


def test_a_given_up_service_is_not_called_again(
    hang: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    def act(name: str) -> None:
        calls.append(name)
        hang.wait()

    thread = LoggerThread("test")
    thread.follow("bad", lambda: FakeView(act), never)
    thread.finish()
    thread.wait(0.05)
    hang.set()
    thread._done.exception(SOON)
    assert calls == ["open"] and len(caplog.messages) == 1


def service(monkeypatch: pytest.MonkeyPatch, act: Callable[[str], None]) -> None:
    """Let every service but TensorBoard be one that acts like this."""

    found = SimpleNamespace(make_logger=lambda logged_run: FakeView(act), shutdown=lambda: None)
    monkeypatch.setattr(dispatcher_module, "find_service", lambda name: found)


def train(point: Dataset, config: Config, root: Path, *services: str) -> list[dict[str, object]]:
    todo = plan_runs(point, config, [0], root, CONTEXT)
    train_runs(todo, 1, lambda report: None, services=services)
    return read_records(root)


def curve(root: Path) -> list[int]:
    (folder,) = (root / "tensorboard").glob("point/*/*")
    return [event.step for event in EventAccumulator(str(folder)).Reload().Scalars("policy/ess")]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["raises", "hangs"])
def test_a_run_beside_a_broken_service_ends_in_its_record(
    kind: str,
    point: Dataset,
    configure: Callable[..., Config],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    hang: threading.Event,
) -> None:
    def act(name: str) -> None:
        if kind == "hangs":
            hang.wait()
        raise ConnectionResetError("gone")

    service(monkeypatch, act)
    monkeypatch.setattr(dispatcher_module, "CLOSE_S", 3.0)
    (record,) = train(point, configure(), tmp_path, "wandb")
    assert record["state"] == "finished"
    assert curve(tmp_path) == [100, 200, 300]
    why = {"raises": "gone", "hangs": "it did not take in the rest in time"}[kind]
    assert caplog.messages == [OFF.format("wandb", why)]


@pytest.mark.slow
def test_tensorboard_that_cannot_be_written_costs_nothing(
    point: Dataset,
    configure: Callable[..., Config],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A file stands where its folder should be; then the folder is there again."""
    (tmp_path / "tensorboard").touch()
    (record,) = train(point, configure(), tmp_path)
    assert record["state"] == "finished"
    (line,) = caplog.messages
    assert line.startswith("TensorBoard is switched off: [Errno 17] File exists")


@pytest.mark.slow
def test_tensorboard_that_turns_unwritable_costs_nothing(
    point: Dataset,
    configure: Callable[..., Config],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While the run trains its event file becomes a full disk."""
    todo = plan_runs(point, configure(), [0], tmp_path, CONTEXT)

    def fill(report: JobEvent) -> None:
        found = list((tmp_path / "tensorboard").glob("point/*/*/events*"))
        if report.snapshot.stage == "policy" and found and not found[0].is_symlink():
            found[0].unlink()
            found[0].symlink_to("/dev/full")

    with caplog.at_level(logging.WARNING):
        train_runs(todo, 1, fill)
    (record,) = read_records(tmp_path)
    assert record["state"] == "finished"
    assert caplog.messages == [OFF.format("TensorBoard", "[Errno 28] No space left on device")]


def test_two_data_files_are_two_series(
    configure: Callable[..., Config], tmp_path: Path, point: Dataset
) -> None:
    """Same task, configuration and seed, both broken off: neither takes the other's folder."""
    places = {
        _logged(plan_runs(one, configure(), [0], tmp_path, CONTEXT), run).folder
        for one in (point, replace(point, sha256="f" * 64))
        for run in plan_runs(one, configure(), [0], tmp_path, CONTEXT).runs
    }
    assert len(places) == 2


def test_a_run_is_followed_once(
    configure: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    service(monkeypatch, opened.append)
    dispatcher = LogDispatcher(tmp_path, ["wandb"])
    logged_run = LoggedRun(
        tmp_path, ("point", "a", "s"), Run("point", configure(), 0, "x", "a" * 64)
    )
    for _ in range(3):
        dispatcher.follow(logged_run)
    dispatcher.close()
    assert opened == ["open", "close"]

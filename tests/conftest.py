"""Every test session: one thread, a private home; and records for the rooms that read them."""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import synthetic_records
from synthetic_records import Record
from xdist.scheduler import LoadFileScheduling

# Before torch, numpy or Ray are imported: threads are counted, and Ray's authentication mode is
# read, only once. With the mode unset Ray would write a token into the home folder.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - Ray's name; beside others they starve
os.environ["COLUMNS"] = "100"
os.environ["NO_COLOR"] = "1"
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a hundred processes compile the package once
sys.dont_write_bytecode = False  # and each session the tests

pytest_plugins = [
    "fixtures.fault_counts", "fixtures.own_methods", "fixtures.own_tasks", "fixtures.s3_server",
    "fixtures.search_files",
    "fixtures.tiny_runs",
]  # fmt: skip


class OneRay(LoadFileScheduling):
    """Gives each worker whole files, and all that start a Ray cluster to the same worker."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        files = Path(__file__).parent.rglob("test_*.py")
        self.ray = {path.name for path in files if "pytest.mark.ray" in path.read_text()}

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "ray" if Path(file).name in self.ray else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneRay:
    return OneRay(config, log)


@pytest.hookimpl(tryfirst=True)  # before `-m` looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what `faults` and `slow_after` say, and begin with Ray.

    Ray takes longest, and another worker does the rest meanwhile.
    """
    cases: Counter[str] = Counter()
    for item in items:
        if item.get_closest_marker("faults"):
            item.add_marker(pytest.mark.slow)
        if marker := item.get_closest_marker("slow_after"):
            test = item.nodeid.partition("[")[0]
            cases[test] += 1
            if cases[test] > marker.args[0]:
                item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.get_closest_marker("ray") is None)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep what every test costs low: garbage collection, and loggers that each is attached to.

    Half a million objects stay, and would be looked through often. Of torch's fifty loggers each
    has handlers of its own, which pytest gives and takes back six times a test.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        for name, logger in logging.root.manager.loggerDict.items():
            if name.startswith("torch.") and isinstance(logger, logging.Logger):
                logger.propagate = True


@pytest.fixture(scope="session", autouse=True)
def private_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Point HOME and the data caches into the session's temporary folder."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
        patch.setenv("MPLCONFIGDIR", str(home / ".matplotlib"))
        patch.setenv("QIPO_DATA", str(home / "qipo-data"))
        patch.setenv("D4RL_DATASET_DIR", str(home / "d4rl-datasets"))
        patch.delenv("QIPO_RESULTS", raising=False)
        # What processes leave when they are killed goes, too. A short path: Ray's sockets need it.
        with tempfile.TemporaryDirectory(prefix="qipo", ignore_cleanup_errors=True) as temporary:
            patch.setenv("TMPDIR", temporary)
            patch.setattr(tempfile, "tempdir", None)
            yield


@pytest.fixture
def make_records() -> Callable[..., list[Record]]:
    """A function that makes many records: of tasks, a number of configurations, of seeds."""
    return synthetic_records.make_records


@pytest.fixture(scope="session")
def make_record() -> Callable[..., Record]:
    """A function that makes a record like those of the store; keywords change what matters."""
    return synthetic_records.make_record


TINY = (
    "behaviour.width=16", "behaviour.updates=60", "critic.width=16", "critic.updates=40",
    "critic.returns_updates=40", "policy.rounds=1", "policy.renew_every=60", "policy.pool=100",
    "sampler.evaluations=4", "evaluation.final_episodes=6", "evaluation.episodes=3",
)  # fmt: skip


@pytest.fixture(scope="session")
def train_point(private_home: None) -> Callable[..., Path]:
    """A function that trains tiny runs of `point` into a results folder, and returns it."""
    from qipo_ray.cli.main import main

    def train(folder: Path, *changes: str, seeds: str = "0", data: str | None = None) -> Path:
        sets = [part for change in (*TINY, *changes) for part in ("--set", change)]
        line = ["train", "--task", "point", "--results", str(folder), "--seeds", seeds]
        given = [] if data is None else ["--data", data]
        assert main([*line, "--jobs", "1", *given, *sets]) == 0
        return folder

    return train


@pytest.fixture(scope="session")
def point_run(train_point: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with one finished run of `point`; to be read, not changed."""
    return train_point(tmp_path_factory.mktemp("point") / "R")

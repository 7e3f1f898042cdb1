"""A small sweep on disk, written by the store's own functions, for one thing wrong at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from qipo_ray import __version__
from qipo_ray.config import Config, config_hash, departures, override, stage_keys, to_dict
from qipo_ray.config.evaluations import score_name
from qipo_ray.leaderboard import from_records
from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.store.files import sealed, unsealed
from qipo_ray.store.intents import trial_id, write_intent
from qipo_ray.store.records import new_id, read_records, write_record
from qipo_ray.store.rung_log import RungLog
from qipo_ray.study.search_file import load_search_file
from qipo_ray.study.search_spec import SearchSpec
from qipo_ray.verify import verify

SEARCH = """\
name: books
tasks: [point]
preset: quickstart
space: {policy.beta: {loguniform: [1, 60]}}
trials: 4
paper: {policy.beta: 3}
seeds: {search: [0, 1], report: [100, 101]}
rungs: {shares: [1/3, 1], reduction: 3}
confirm: {top: 1}
"""
DATA = "a" * 64
RUNGS = (1000, 3000)
EPISODES = 20  # of an evaluation during training; 100 at the end
PAPER, BEST = 3.0, 20.0  # beta
SEARCHED = {PAPER: [10.0, 30.0], 10.0: [11.0, 29.0], BEST: [12.0, 40.0], 30.0: [5.0]}
SELECTION = 7 * 2 * EPISODES  # rungs, seeds, episodes


def scores(*values: tuple[int, int, float]) -> list[dict[str, Any]]:
    """Return scores: updates, episodes and normalised value of each."""
    return [
        {"updates": at, "episodes": episodes, "mean": 2 * value, "std": 1.0,
         "normalised": value, "success": None}
        for at, episodes, value in values
    ]  # fmt: skip


@dataclass
class Books:
    """A sweep's folder. Times are minutes of one hour."""

    root: Path
    make_record: Callable[..., dict[str, Any]]
    betas: list[float] = field(default_factory=list)  # of the trials so far

    def specify(self, text: str = SEARCH) -> SearchSpec:
        """Put a specification in force; one that was there goes where `--extend` leaves it."""
        path = self.root.parent / "search.yaml"
        path.write_text(text)
        self.spec = load_search_file(path)
        document = {"hash": self.spec.hash, **self.spec.document(), "data": {"point": DATA}}
        file = self.root / "sweep.yaml"
        if file.exists():
            old = yaml.safe_load(file.read_text())
            (self.root / "specifications").mkdir(exist_ok=True)
            file.rename(self.root / "specifications" / f"{old['hash']}.yaml")
        self.root.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump(document, sort_keys=False))
        return self.spec

    def config(self, beta: float) -> Config:
        return override(self.spec.base, [f"policy.beta={beta}"])

    def trial(self, beta: float) -> str:
        return trial_id("books", "point", config_hash(self.config(beta)))

    def intend(self, beta: float, minute: int = 0, **changes: Any) -> None:
        config = self.config(beta)
        intent = {
            "schema": 1, "id": self.trial(beta), "sweep": "books", "task": "point",
            "position": len(self.betas), "params": {"policy.beta": beta},
            "config": to_dict(config), "config_hash": config_hash(config), "seeds": [0, 1],
            "rungs": list(RUNGS), "origin": "paper" if beta == PAPER else "search",
            "written": f"2026-01-01T00:{minute:02d}:00+00:00",
        }  # fmt: skip
        self.betas.append(beta)
        write_intent(self.root, intent | changes)

    def reach(self, beta: float, rung: int, value: float) -> None:
        entry = {
            "trial": self.trial(beta), "task": "point", "rung": rung, "updates": RUNGS[rung],
            "value": value, "attempt": 1, "at": "2026-01-01T00:00:00+00:00",
        }  # fmt: skip
        RungLog(self.root / "rungs.jsonl").append(entry)

    def train(self, beta: float, seed: int, updates: int, stage: str) -> None:
        """Leave a snapshot, once."""
        artefacts = ArtefactStore(self.root)
        key = stage_keys(self.config(beta), "point", DATA, seed)[stage]
        if updates not in artefacts.lengths(stage, key):
            attempt = artefacts.claim(stage, key)
            data = f"{stage} {key} {updates}".encode() * 30
            artefacts.write(stage, key, updates, data, attempt=attempt, keep=True)

    def note(self, beta: float, seed: int, stage: str, score: dict[str, Any]) -> None:
        config = self.config(beta)
        key = stage_keys(config, "point", DATA, seed)[stage]
        name = score_name(config, score["updates"], score["episodes"])
        ArtefactStore(self.root).write_note(stage, key, name, score)

    def end(self, beta: float, seed: int, found: list[dict[str, Any]], **changes: Any) -> None:
        """Leave the record of a run with these scores, and all that it rests on."""
        config, finished = self.config(beta), changes.get("state", "finished") == "finished"
        search = changes["purpose"] == "search"
        cloned = None if search else scores((5000, 100, 7.0 + seed % 2))[0]
        self.train(beta, seed, config.behaviour.updates, "behaviour")
        self.train(beta, seed, config.critic.updates, "critic")
        for score in found:
            self.train(beta, seed, score["updates"], "policy")
            self.note(beta, seed, "policy", score)
        if cloned:
            self.note(beta, seed, "behaviour", cloned)
        record = self.make_record(0.0, seed=seed, sweep="books", task="point", sha256=DATA)
        values = [score["normalised"] for score in found]
        best = max(found, key=lambda score: float(score["normalised"]))
        final = {"last": found[-1], "last3": sum(values[-3:]) / len(values[-3:]), "best": best}
        record |= {
            "trial": self.trial(beta), "config": to_dict(config),
            "config_hash": config_hash(config),
            "label": {"method": "QIPO-OT", "departures": list(departures(config)),
                      "name": "paper" if beta == PAPER else "search"},
            "jobs": stage_keys(config, "point", DATA, seed),
            "reached": {"updates": found[-1]["updates"],
                        "rung": len(found) - 1 if search else None},
            "scores": found, "behaviour_cloning": cloned,
            "final": final | {"action_latency_ms": 0.5} if finished else dict.fromkeys(
                ("last", "last3", "best", "action_latency_ms")),
        }  # fmt: skip
        record["protocol"] |= {
            "episodes": EPISODES if search else 100, "sampler": config.solver,
            "steps": config.sampler.evaluations, "clip": config.sampler.clip,
        }  # fmt: skip
        record["provenance"]["version"] = __version__
        write_record(self.root, with_id(record | changes))

    def search(self, beta: float, values: list[float], minute: int = 0) -> None:
        """Go through a trial of the search."""
        self.intend(beta, minute)
        for rung, value in enumerate(values):
            self.reach(beta, rung, value)
        state = "finished" if len(values) == len(RUNGS) else "pruned"
        for seed, shift in ((0, -1.0), (1, 1.0)):
            points = [(RUNGS[i], EPISODES, value + shift) for i, value in enumerate(values)]
            self.end(beta, seed, scores(*points), purpose="search", state=state)

    def confirm(self, beta: float, seed: int, selection: int = SELECTION, minute: int = 4) -> None:
        """Go through a run of the confirm step."""
        name, episodes = ("paper form", 0) if beta == PAPER else ("search, best", selection)
        points = ((1000, 20, 20.0), (2000, 20, 50.0 - beta), (3000, 100, 35.0 + seed))
        config = self.config(beta)
        record = self.make_record(0.0)
        label = {"method": "QIPO-OT", "departures": list(departures(config)), "name": name}
        protocol = record["protocol"] | {
            "selection_episodes": episodes, "sampler": config.solver,
            "steps": config.sampler.evaluations, "clip": config.sampler.clip,
        }  # fmt: skip
        provenance = record["provenance"] | {
            "version": __version__, "ended": f"2026-01-01T00:{minute:02d}:00+00:00",
        }  # fmt: skip
        self.end(beta, seed, scores(*points), purpose="confirm", label=label,
                 protocol=protocol, provenance=provenance)  # fmt: skip

    def tabulate(self) -> None:
        """Write the tables that the records give."""
        folder = self.root / "leaderboard"
        folder.mkdir(exist_ok=True)
        for suffix, text in from_records(read_records(self.root)).documents().items():
            (folder / f"leaderboard.{suffix}").write_text(text)


def with_id(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with the id that its fields give."""
    identity = (record[key] for key in ("sweep", "purpose", "task", "config_hash", "seed"))
    return record | {"id": new_id(*identity)}


@pytest.fixture(scope="session")
def open_books(make_record: Callable[..., dict[str, Any]]) -> Callable[[Path], Books]:
    """A function that begins a sweep's folder."""

    def begin(root: Path) -> Books:
        made = Books(root, make_record)
        made.specify()
        return made

    return begin


def go_through(made: Books) -> Books:
    """Make a complete sweep: four trials of two seeds, two confirmed configurations of two."""
    for beta, values in SEARCHED.items():
        made.search(beta, values)
    for beta in (BEST, PAPER):
        for seed in (100, 101):
            made.confirm(beta, seed)
    made.tabulate()
    return made


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, open_books: Callable[[Path], Books]) -> Path:
    """A complete sweep."""
    return go_through(open_books(tmp_path_factory.mktemp("verify") / "books")).root


@pytest.fixture
def root(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return shutil.copytree(whole, tmp_path / "books")


@pytest.fixture
def books(root: Path, make_record: Callable[..., dict[str, Any]]) -> Books:
    """The same copy, to go on with."""
    made = Books(root, make_record, list(SEARCHED))
    path = root.parent / "search.yaml"
    path.write_text(SEARCH)
    made.spec = load_search_file(path)
    return made


@pytest.fixture
def forge(root: Path) -> Callable[..., Path]:
    """A function that changes one record and seals it again, as a forger would.

    ``purpose`` and ``beta`` say which; ``change`` edits it; it gets the id that it then has.
    """

    def act(change: Callable[[dict[str, Any]], object], purpose: str, beta: float) -> Path:
        path = next(
            root / "records" / f"{record['id']}.json"
            for record in read_records(root)
            if (record["purpose"], record["config"]["policy"]["beta"]) == (purpose, beta)
        )
        record = unsealed(path.read_bytes())
        path.unlink()
        change(record)
        record = with_id(record)
        path = path.with_name(f"{record['id']}.json")
        path.write_bytes(sealed(record))
        return path

    return act


@pytest.fixture(scope="session")
def faults() -> Callable[[Path], list[tuple[str, str]]]:
    """A function that returns what is wrong with a sweep: places and words."""
    return lambda root: [(one.place, one.what) for one in verify(root).faults]

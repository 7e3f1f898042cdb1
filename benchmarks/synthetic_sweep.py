"""A synthetic sweep on disk, whole and without any training: for the benchmarks and the tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from synthetic_records import make_record

from qipo_ray import __version__
from qipo_ray.config import Config, config_hash, departures, override, stage_keys, to_dict
from qipo_ray.config.evaluations import score_name
from qipo_ray.leaderboard import from_records
from qipo_ray.store.artefacts import ArtefactStore
from qipo_ray.store.intents import trial_id, write_intent
from qipo_ray.store.records import new_id, read_records, write_record
from qipo_ray.store.rung_log import RungLog
from qipo_ray.study.search_file import load_search_file
from qipo_ray.study.search_spec import SearchSpec

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
class SyntheticSweep:
    """A sweep's folder, which the store's own functions write. Times are minutes of one hour."""

    root: Path
    betas: list[float] = field(default_factory=list)  # of the trials so far

    def specify(self, text: str = SEARCH) -> SearchSpec:
        """Put a specification in force; an older one goes where `--extend` leaves it."""
        self.read_spec(text)
        document = {"hash": self.spec.hash, **self.spec.document(), "data": {"point": DATA}}
        file = self.root / "sweep.yaml"
        if file.exists():
            old = yaml.safe_load(file.read_text())
            (self.root / "specifications").mkdir(exist_ok=True)
            file.rename(self.root / "specifications" / f"{old['hash']}.yaml")
        self.root.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump(document, sort_keys=False))
        return self.spec

    def read_spec(self, text: str = SEARCH) -> None:
        """Take a specification, which stands beside the folder, without putting it in force."""
        path = self.root.parent / "search.yaml"
        path.write_text(text)
        self.spec = load_search_file(path)

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
        ArtefactStore(self.root).write_sidecar(stage, key, name, score)

    def end(self, beta: float, seed: int, points: list[dict[str, Any]], **changes: Any) -> None:
        """Leave the record of a run with these scores, and all that it rests on."""
        config, finished = self.config(beta), changes.get("state", "finished") == "finished"
        search = changes["purpose"] == "search"
        cloned = None if search else scores((5000, 100, 7.0 + seed % 2))[0]
        self.train(beta, seed, config.behaviour.updates, "behaviour")
        self.train(beta, seed, config.critic.updates, "critic")
        for score in points:
            self.train(beta, seed, score["updates"], "policy")
            self.note(beta, seed, "policy", score)
        if cloned:
            self.note(beta, seed, "behaviour", cloned)
        record = make_record(0.0, seed=seed, sweep="books", task="point", sha256=DATA)
        values = [score["normalised"] for score in points]
        best = max(points, key=lambda score: float(score["normalised"]))
        final = {"last": points[-1], "last3": sum(values[-3:]) / len(values[-3:]), "best": best}
        record |= {
            "trial": self.trial(beta), "config": to_dict(config),
            "config_hash": config_hash(config),
            "label": {"method": "QIPO-OT", "departures": list(departures(config)),
                      "name": "paper" if beta == PAPER else "search"},
            "jobs": stage_keys(config, "point", DATA, seed),
            "reached": {"updates": points[-1]["updates"],
                        "rung": len(points) - 1 if search else None},
            "scores": points, "behaviour_cloning": cloned,
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
        record = make_record(0.0, task="point")
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


def complete(sweep: SyntheticSweep) -> SyntheticSweep:
    """Return the sweep with four trials of two seeds and two confirmed configurations of two."""
    for beta, values in SEARCHED.items():
        sweep.search(beta, values)
    for beta in (BEST, PAPER):
        for seed in (100, 101):
            sweep.confirm(beta, seed)
    sweep.tabulate()
    return sweep

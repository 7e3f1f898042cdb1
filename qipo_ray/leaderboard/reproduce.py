"""How to get a record's number again: the command, and what differs between there and here."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qipo_ray.config import Config, from_dict, load_config, override, preset_names, to_dict

Record = Mapping[str, Any]
RENAMED = {"version": "qipo_ray", "python": "Python", "commit": "commit", "hardware": "hardware"}


@dataclass(frozen=True)
class Recipe:
    """What `train` is told, and the score that it should come to."""

    task: str
    seed: int
    config: Config
    preset: str  # the nearest one
    sets: tuple[str, ...]  # what differs from it, as --set takes it
    expected: Mapping[str, Any] | None  # the recorded score; None for a run that has none
    state: str  # that it ended in
    reason: str | None

    def command(self, results: Path, data: Path | None = None) -> str:
        """Return the command line."""
        parts = ["qipo-ray", "train", "--task", self.task, "--preset", self.preset]
        parts += [part for one in self.sets for part in ("--set", one)]
        parts += ["--seeds", str(self.seed), "--results", str(results)]
        return shlex.join(parts + (["--data", str(data)] if data else []))

    def found(self, record: Record) -> Mapping[str, Any] | None:
        """Return the score of another record that stands for the expected one."""
        if self.expected is None:
            return None
        at = (self.expected["updates"], self.expected["episodes"])
        scores = (
            score for score in record["scores"] if (score["updates"], score["episodes"]) == at
        )
        return next(scores, None)


def recipe(record: Record) -> Recipe:
    """Return how to make a record's number.

    A run of a search is scored at its rungs, over few episodes, and may have been stopped: its
    recipe ends where it ended and is scored there alone, which changes no weight.
    """
    config = from_dict(record["config"], f"record {record['id']}")
    updates = record["reached"]["updates"]
    if record["purpose"] == "search" and updates:
        rounds = -(-updates // config.policy.renew_every)
        episodes = config.evaluation.episodes
        config = override(
            config,
            [
                f"policy.rounds={rounds}",
                f"evaluation.every={updates}",
                f"evaluation.final_episodes={episodes}",
            ],
        )
    preset, sets = nearest_preset(config)
    scores = [score for score in record["scores"] if score["updates"] == updates]
    return Recipe(
        task=record["task"],
        seed=record["seed"],
        config=config,
        preset=preset,
        sets=sets,
        expected=record["final"]["last"] or (scores[-1] if scores else None),
        state=record["state"],
        reason=record["reason"],
    )


def nearest_preset(config: Config) -> tuple[str, tuple[str, ...]]:
    """Return the preset with the fewest other settings, and those as ``section.key=value``."""
    found = {name: _differences(load_config(name), config) for name in preset_names()}
    name = min(found, key=lambda one: len(found[one]))
    return name, found[name]


def _differences(base: Config, config: Config) -> tuple[str, ...]:
    before, after = to_dict(base), to_dict(config)
    return tuple(
        f"{section}.{key}={_yaml(value)}"
        for section, settings in after.items()
        for key, value in settings.items()
        if value != before[section][key]
    )


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def differences(
    record: Record, machine: Mapping[str, Any], data_sha256: str | None
) -> Iterator[str]:
    """Yield a line for everything here that is not as it was where the record was made.

    ``machine`` is what a record of this machine would hold; ``data_sha256`` is None where the data
    set is not here.
    """
    then = record["provenance"]
    for key, name in RENAMED.items():
        if then[key] != machine[key]:
            yield f"{name}: {_text(then[key])} there, {_text(machine[key])} here"
    for where, dirty in (("there", then["dirty"]), ("here", machine["dirty"])):
        if dirty:
            yield f"the source had changes {where} that its commit does not hold"
    names: Sequence[str] = sorted({*then["packages"], *machine["packages"]})
    for name in names:
        old, new = (one["packages"].get(name, "none") for one in (then, machine))
        if old != new:
            yield f"{name}: {old} there, {new} here"
    wanted = record["data"]["sha256"]
    if data_sha256 is None:
        yield f"the data set of {record['task']} is not here (SHA-256 {wanted[:12]}...)"
    elif data_sha256 != wanted:
        yield f"data: SHA-256 {wanted[:12]}... there, {data_sha256[:12]}... here"
    if record["pack"]["size"] > 1:
        yield (
            f"trained in a pack of {record['pack']['size']}: alone it comes to the same weights "
            "but for rounding, not bit for bit"
        )


def _text(value: object) -> str:
    return "unknown" if value in (None, "", {}) else str(value)

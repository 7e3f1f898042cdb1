"""How to reproduce a record's number: the command, and what differs on this machine."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qipo_ray.config import Config, from_dict, override
from qipo_ray.config.preset_file import nearest_preset
from qipo_ray.config.run_methods import section_of
from qipo_ray.data.tasks import physics
from qipo_ray.leaderboard.provenance import HARDWARE, hardware_of, hardware_text

Record = Mapping[str, Any]
SOFTWARE = {"version": "qipo_ray", "python": "Python", "commit": "commit"}


@dataclass(frozen=True)
class Recipe:
    """The settings with which `train` reproduces a record, and the score to expect."""

    task: str  # as --task takes it
    seed: int
    config: Config
    preset: str  # the nearest one
    sets: tuple[str, ...]  # what differs from it, as --set takes it
    device: str  # of the record: cpu, cuda, ...
    expected: Mapping[str, Any] | None  # the recorded score; None for a run that has none

    def with_file(self, task_file: str) -> Recipe:
        """Return the recipe with the file of a user's own task, whose discount is not taken."""
        discount = f"critic.discount={self.config.critic.discount}"
        named = [text for text in self.sets if not text.startswith("critic.discount=")]
        return replace(self, task=task_file, sets=(*named, discount))

    def command(self, results: Path, data: Path | None = None, device: str | None = None) -> str:
        """Return the command line."""
        parts = ["qipo-ray", "train", "--task", self.task, "--preset", self.preset]
        parts += [part for setting in self.sets for part in ("--set", setting)]
        parts += ["--seeds", str(self.seed), "--results", str(results)]
        parts += ["--data", str(data)] if data else []
        device = device or self.device
        return shlex.join(parts + (["--device", device] if device != "cpu" else []))


def recipe(record: Record) -> Recipe:
    """Return the settings that reproduce a record's last score.

    A run of a search is scored at its rungs, over few episodes, and may have been stopped. Its
    recipe ends at the same update and is scored only there; that changes no weight.
    ``UserError`` if this version cannot read the record's configuration.
    """
    config = from_dict(record["config"], f"record {record['id']}")
    updates = record["reached"]["updates"]
    if record["purpose"] == "search" and updates:
        length = section_of(config, "policy")
        rounds = f"policy.rounds={-(-updates // config.policy.renew_every)}"
        episodes = config.evaluation.episodes
        config = override(
            config,
            [
                rounds if length == "policy" else f"{length}.updates={updates}",
                f"evaluation.every={updates}",
                f"evaluation.final_episodes={episodes}",
            ],
        )
    if record["purpose"] == "acting" and updates:  # scored at its end alone
        config = override(config, [f"evaluation.every={updates}"])
    preset, settings = nearest_preset(config)
    scores = [score for score in record["scores"] if score["updates"] == updates]
    return Recipe(
        task=record["task"],
        seed=record["seed"],
        config=config,
        preset=preset,
        sets=tuple(f"{key}={_yaml(value)}" for key, value in settings.items()),
        device=hardware_of(record["provenance"]).get("device") or "cpu",
        expected=record["final"]["last"] or (scores[-1] if scores else None),
    )


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# ---- what differs here


def differences(
    record: Record, machine: Mapping[str, Any], data_sha256: str | None
) -> Iterator[str]:
    """Yield a line for everything on this machine that differs from the record's.

    ``machine`` is the provenance of a record made here; ``data_sha256`` is None where the data
    set is missing.
    """
    then = record["provenance"]
    for key, name in SOFTWARE.items():
        if then[key] != machine[key]:
            yield f"{name}: {_text(then[key])} there, {_text(machine[key])} here"
    for side, provenance in (("there", then), ("here", machine)):
        if provenance["dirty"]:
            yield f"the source had changes {side} that its commit does not hold"
    sha256 = record["data"]["sha256"]
    if data_sha256 is None:
        yield f"the data set of {record['task']} is not here (SHA-256 {sha256[:12]}...)"
    elif data_sha256 != sha256:
        yield f"data: SHA-256 {sha256[:12]}... there, {data_sha256[:12]}... here"
    yield from inexact(record, machine)


def inexact(record: Record, machine: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for everything that makes the same source round differently on this machine.

    If there is none, the number is the same to the last bit.
    """
    then = record["provenance"]
    names: Sequence[str] = sorted({*then["packages"], *machine["packages"]})
    for name in names:
        old, new = (side["packages"].get(name, "none") for side in (then, machine))
        if old != new:
            yield f"{name}: {old} there, {new} here"
    old, new = record["protocol"].get("physics", 1), physics(record["task"])
    if old != new:
        yield f"simulator of {record['task']}: physics {old} there, {new} here"
    recorded, current = hardware_of(then), hardware_of(machine)
    if unknown := [name for key, name in HARDWARE.items() if key not in recorded]:
        yield f"not recorded there: {', '.join(unknown)}; here: {hardware_text(current)}"
    for key, name in HARDWARE.items():
        if key in recorded and recorded[key] != current.get(key):
            yield f"{name}: {_text(recorded[key])} there, {_text(current.get(key))} here"
    for computer in recorded.get("also", []):
        yield f"trained there on more than one machine, also on {hardware_text(computer)}"
    if "cpu" != current.get("device") == recorded.get("device"):
        yield f"device: {current['device']} does not round the same twice"
    if record["pack"]["size"] > 1:
        yield (
            f"pack: trained in one of up to {record['pack']['size']} there, alone here: the same "
            "weights except for rounding"
        )


def _text(value: object) -> str:
    return "unknown" if value in (None, "", {}) else str(value)

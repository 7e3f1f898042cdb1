"""From a record back to its command: the same configuration, and what differs here."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.config import Config, load_config, override, stage_keys, stage_updates, to_dict
from qipo_ray.leaderboard.reproduce import differences, nearest_preset, recipe

CHANGES = [
    (),
    ("policy.beta=17.73", "sampler.clip=false"),
    ("behaviour.learning_rate=1e-05", "critic.temperature=2.5e-7", "policy.loss_actions=0"),
    ("data.observations=raw", "behaviour.network=unet", "policy.beta=3.3333333333333335"),
]


@pytest.fixture
def record(make_record: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """A record of a configuration that `train` knows."""

    def make(config: Config, **changes: Any) -> dict[str, Any]:
        made = make_record(30.0, seed=5, task="point", purpose=changes.pop("purpose", "confirm"))
        return made | {"config": to_dict(config)} | changes

    return make


@pytest.mark.parametrize("preset", ["paper", "quickstart"])
@pytest.mark.parametrize("changes", CHANGES)
def test_preset_and_settings_give_the_configuration_again(
    preset: str, changes: tuple[str, ...]
) -> None:
    config = load_config(preset, changes)
    name, sets = nearest_preset(config)
    assert name == preset and len(sets) <= len(changes)
    assert load_config(name, sets) == config


def test_the_command_is_one_that_train_reads(record: Callable[..., dict[str, Any]]) -> None:
    config = load_config("quickstart", ["policy.beta=7"])
    made = recipe(record(config))
    line = made.command(Path("my results"), Path("d.hdf5"))
    assert shlex.split(line) == [
        "qipo-ray", "train", "--task", "point", "--preset", "quickstart",
        "--set", "policy.beta=7.0", "--seeds", "5", "--results", "my results",
        "--data", "d.hdf5",
    ]  # fmt: skip
    assert made.config == config and made.expected is not None
    assert made.expected["normalised"] == 30.0


@pytest.mark.parametrize(("updates", "rounds"), [(334, 1), (1000, 1), (1001, 2), (3000, 3)])
def test_a_search_run_is_scored_where_it_ended_and_keeps_its_keys(
    record: Callable[..., dict[str, Any]], updates: int, rounds: int
) -> None:
    config = load_config("quickstart")
    score = {"updates": updates, "episodes": 20, "normalised": 4.0}
    one = record(
        config,
        purpose="search",
        reached={"updates": updates, "rung": 1},
        scores=[score | {"updates": 100}, score],
        state="pruned",
    )
    one["final"] = dict.fromkeys(one["final"])
    made = recipe(one)
    assert made.expected == score
    assert made.config.policy.rounds == rounds
    assert stage_updates(made.config)["policy"] >= updates
    assert made.config.evaluation.every == updates
    before, after = (stage_keys(c, "point", "a" * 64, 5) for c in (config, made.config))
    assert before == after
    new = {"scores": [score | {"updates": 50}, score | {"normalised": 4.5}]}
    assert made.found(new) == score | {"normalised": 4.5}
    assert made.found({"scores": []}) is None


def test_a_run_without_a_score_has_its_command_all_the_same(
    record: Callable[..., dict[str, Any]],
) -> None:
    one = record(load_config("quickstart"), state="diverged", reason="loss is nan", scores=[])
    one["final"] = dict.fromkeys(one["final"])
    made = recipe(one)
    assert made.expected is None and made.found(one) is None
    assert (made.state, made.reason) == ("diverged", "loss is nan")


HERE = {
    "version": "0.1.0", "commit": "c" * 40, "dirty": False, "python": "3.11.7",
    "hardware": "x86_64", "packages": {"torch": "2.6.0", "numpy": "2.0.0"},
}  # fmt: skip


def told(record: dict[str, Any], there: dict[str, Any], data: str | None) -> list[str]:
    return list(differences(record | {"provenance": HERE | there}, HERE, data))


def test_only_what_differs_is_told(make_record: Callable[..., dict[str, Any]]) -> None:
    one = make_record(1.0)
    assert told(one, {}, "a" * 64) == []
    there = {
        "version": "0.2.0", "commit": None, "dirty": True, "python": "3.10.1",
        "packages": {"torch": "2.13.0", "numpy": "2.0.0", "ray": "2.60.0"},
    }  # fmt: skip
    assert told(one, there, None) == [
        "qipo_ray: 0.2.0 there, 0.1.0 here",
        "Python: 3.10.1 there, 3.11.7 here",
        f"commit: unknown there, {'c' * 40} here",
        "the source had changes there that its commit does not hold",
        "ray: 2.60.0 there, none here",
        "torch: 2.13.0 there, 2.6.0 here",
        "the data set of maze2d-umaze is not here (SHA-256 aaaaaaaaaaaa...)",
    ]
    assert told(one | {"pack": {"size": 8, "composition": None}}, {}, "b" * 64) == [
        "data: SHA-256 aaaaaaaaaaaa... there, bbbbbbbbbbbb... here",
        "trained in a pack of 8: alone it comes to the same weights but for rounding, not bit "
        "for bit",
    ]


def test_overriding_is_not_needed_where_nothing_differs() -> None:
    config = override(load_config("paper"), [])
    assert nearest_preset(config) == ("paper", ())

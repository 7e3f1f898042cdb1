"""From a record back to its command: the same configuration, and what differs here."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qipo_ray.config import Config, load_config, stage_keys, stage_updates, to_dict
from qipo_ray.verify.reproduction import differences, inexact, recipe

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
    preset: str, changes: tuple[str, ...], record: Callable[..., dict[str, Any]]
) -> None:
    config = load_config(preset, changes)
    made = recipe(record(config))
    assert made.preset == preset and len(made.sets) <= len(changes)
    assert load_config(made.preset, made.sets) == config


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


def test_a_search_run_of_another_method_ends_where_it_ended(
    record: Callable[..., dict[str, Any]],
) -> None:
    config = load_config("quickstart", ["policy.method=iql", "iql.updates=900"])
    one = record(config, purpose="search", reached={"updates": 334, "rung": 1}, state="pruned")
    made = recipe(one)
    assert stage_updates(made.config) == {"policy": 334}
    before, after = (stage_keys(c, "point", "a" * 64, 5) for c in (config, made.config))
    assert before == after


def test_a_run_without_a_score_has_its_command_all_the_same(
    record: Callable[..., dict[str, Any]],
) -> None:
    one = record(load_config("quickstart"), state="diverged", reason="loss is nan", scores=[])
    one["final"] = dict.fromkeys(one["final"])
    assert recipe(one).expected is None


AMD = {"machine": "x86_64", "cpu": "AMD EPYC", "device": "cpu", "accelerator": None, "threads": 1}
HERE = {
    "version": "0.1.0", "commit": "c" * 40, "dirty": False, "python": "3.11.7",
    "hardware": AMD, "packages": {"torch": "2.6.0", "numpy": "2.0.0"},
}  # fmt: skip
Make = Callable[..., dict[str, Any]]


def told(record: dict[str, Any], there: dict[str, Any], data: str | None) -> list[str]:
    return list(differences(record | {"provenance": HERE | there}, HERE, data))


def test_only_what_differs_is_told(make_record: Make) -> None:
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
        "the data set of maze2d-umaze is not here (SHA-256 aaaaaaaaaaaa...)",
        "ray: 2.60.0 there, none here",
        "torch: 2.13.0 there, 2.6.0 here",
    ]
    assert told(one | {"pack": {"size": 8, "composition": None}}, {}, "b" * 64) == [
        "data: SHA-256 aaaaaaaaaaaa... there, bbbbbbbbbbbb... here",
        "pack: trained in one of up to 8 there, alone here: the same weights except for rounding",
    ]
    del one["protocol"]["physics"]
    assert told(one, {}, "a" * 64) == ["simulator of maze2d-umaze: physics 1 there, 2 here"]


GPU = AMD | {"cpu": "Intel Xeon", "device": "cuda", "accelerator": "NVIDIA H100", "threads": 4}


@pytest.mark.parametrize(
    ("hardware", "lines"),
    [
        (AMD, []),
        (
            GPU,
            [
                "CPU: Intel Xeon there, AMD EPYC here",
                "device: cuda there, cpu here",
                "accelerator: NVIDIA H100 there, unknown here",
                "threads: 4 there, 1 here",
            ],
        ),
        (
            AMD | {"also": [GPU]},
            [
                "trained there on more than one machine, also on x86_64, Intel Xeon, cuda, "
                "NVIDIA H100, 4 threads"
            ],
        ),
        (
            "x86_64",
            [
                "not recorded there: CPU, device, accelerator, threads; here: x86_64, AMD EPYC, "
                "cpu, 1 thread"
            ],
        ),
        (
            "unknown",
            [
                "not recorded there: machine, CPU, device, accelerator, threads; here: x86_64, "
                "AMD EPYC, cpu, 1 thread"
            ],
        ),
    ],
    ids=["the same", "another", "two machines", "an old record", "unknown"],
)
def test_the_hardware_is_told_in_a_line_each(
    make_record: Make, hardware: object, lines: list[str]
) -> None:
    one = make_record(1.0)
    assert told(one, {"hardware": hardware}, "a" * 64) == lines
    provenance = HERE | {"hardware": hardware}
    assert list(inexact(one | {"provenance": provenance}, HERE)) == lines


def test_what_rounds_otherwise_is_not_the_source(make_record: Make) -> None:
    """Another commit has to give the same bits; a GPU does not, not even the same one."""
    one = make_record(1.0)
    there = {"version": "0.2.0", "commit": None, "python": "3.10.1"}
    assert list(inexact(one | {"provenance": HERE | there}, HERE)) == []
    gpu = HERE | {"hardware": GPU}
    assert list(inexact(one | {"provenance": gpu}, gpu)) == [
        "device: cuda does not round the same twice"
    ]


def test_the_command_names_the_device_of_the_record_or_the_one_asked_for(
    record: Make, make_record: Make
) -> None:
    one = record(load_config("quickstart"))
    one["provenance"] = one["provenance"] | {"hardware": GPU}
    made = recipe(one)
    assert made.command(Path("R")).endswith("--results R --device cuda")
    assert made.command(Path("R"), device="cuda:1").endswith(" --device cuda:1")
    assert "--device" not in made.command(Path("R"), device="cpu")

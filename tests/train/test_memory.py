"""The plan of a support set against the memory that one takes, and against what is free."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from qipo_ray.agent import Member, PolicyPack, Tensors
from qipo_ray.config import Config
from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import Dataset, transitions
from qipo_ray.study.job import Run
from qipo_ray.train import memory
from qipo_ray.train.job_store import JobStore
from qipo_ray.train.memory import Need, in_words, planned, shortage, support_needs

CPU = torch.device("cpu")


@pytest.mark.parametrize("support", ["float32", "float16"])
def test_the_plan_is_what_a_set_holds(
    support: str,
    make_run: Callable[..., Run],
    trained: Path,
    point: Dataset,
) -> None:
    run = make_run(f"compute.support={support}")
    needs = support_needs(run.config, 2000, 2)
    rows = transitions(point, get_task("point"), "paper", 0.99)
    pack = PolicyPack(run.config, Tensors.from_transitions(rows, "standard", CPU))
    upstream = {job.stage: JobStore(trained).state(job.snapshot) for job in make_run().jobs[:2]}
    pack.admit(Member(run.config, 0), upstream, None)
    pack.update()
    held = pack.support[0]
    assert held is not None
    size = {"float32": 4, "float16": 2}[support]
    assert held.actions.numel() * held.actions.element_size() == 100 * 5 * 2 * size
    batch = 4 * 12 * 16  # twelve layers of 16 for a row
    assert needs["policy"].set == 100 * (8 + 5 * (2 * size + 36))
    assert needs["policy"].bytes(3) == 3 * needs["policy"].set + batch * 100 * 5
    assert needs["critic"].bytes() == 200 * (8 + 3 * 2 * size) + batch * 200 * 3


def test_all_states_count_where_there_is_no_pool(configure: Callable[..., Config]) -> None:
    needs = support_needs(configure("policy.pool=0", "critic.pool=9999"), 400, 2)
    assert (needs["policy"].states, needs["critic"].states) == (400, 400)
    whole = configure("critic.returns_updates=9000", "critic.updates=9000")
    assert "critic" not in support_needs(whole, 400, 2)  # it asks for no support action
    assert "critic" not in support_needs(configure("critic.target=value"), 400, 2)
    best = configure("policy.method=bestofn", "policy.data_updates=9")
    assert support_needs(best, 400, 2).keys() == {"critic"}
    guided = support_needs(configure("policy.method=qgpo", "qgpo.pool=9"), 400, 2)["policy"]
    assert (guided.states, guided.actions) == (9, 16)


def test_updates_on_the_data_count_where_they_take_more(configure: Callable[..., Config]) -> None:
    """They hold one action at every row; IQL holds none."""
    rounds = ("policy.pool=100", "policy.support_size=4")
    small = support_needs(configure("policy.data_updates=9", *rounds), 200, 2)
    assert small == support_needs(configure(*rounds), 200, 2)
    large = support_needs(configure("policy.data_updates=9", *rounds), 9000, 2)
    assert large["policy"].set == 9000 * (8 + 1 * (2 * 4 + 36))
    assert support_needs(configure("policy.method=iql"), 9000, 2) == {}
    assert planned([{}], 2) == "no support sets"


def test_what_does_not_fit_is_refused_with_the_arithmetic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need = Need("critic", 1_000_000, 64, 6, 4, 10**7)
    monkeypatch.setattr(memory, "_free", lambda device: need.bytes(2))
    assert shortage(need, 2, CPU) is None
    text = shortage(need, 4, CPU)
    assert text == (
        "critic support 1.55 GB: 1,000,000 states x 64 actions x (6 x 4 bytes) + 10 MB for a "
        "batch, 4 times, and 3.1 GB are free on cpu: set critic.pool to at most 500,000, "
        "compute.support=float16 or a smaller critic.support_size"
    )
    monkeypatch.setattr(memory, "_free", lambda device: None)
    assert shortage(need, 4, CPU) is None


def test_a_batch_is_as_large_as_the_device_takes(configure: Callable[..., Config]) -> None:
    config = configure("behaviour.width=512", "policy.support_size=63", "policy.pool=0")
    needs = (support_needs(config, 10**6, 6, device)["policy"] for device in ("cpu", "cuda"))
    assert [need.batch for need in needs] == [4096 * 24_576, 2**18 * 24_576]


def test_the_plan_of_many_is_that_of_the_largest(configure: Callable[..., Config]) -> None:
    needs = [support_needs(configure(f"policy.pool={pool}"), 400, 2) for pool in (50, 400, 100)]
    words = planned(needs, 3)
    most = max(need.bytes() for need in needs[1].values())
    assert words.startswith(f"{in_words(3 * most)} for 3 jobs at once; policy support ")
    assert ": 400 states x 5 actions x (2 x 4 bytes + 36 bytes for weights) + " in words
    assert words.count("policy") == words.count("critic") == 1


def test_this_machine_says_what_is_free() -> None:
    free = memory._free(CPU)
    assert free is None or 10**6 < free < 10**14


def test_bytes_in_words() -> None:
    assert [in_words(n) for n in (12, 12_345, 10**9)] == ["12 bytes", "12.3 kB", "1 GB"]

"""The plan of a support set against the memory that one takes, and against what is free."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from qipo_ray.agent import Pack, PolicyPack, State, memory
from qipo_ray.agent.memory import Need, in_words, shortage, support_needs
from qipo_ray.config import Config

CPU = torch.device("cpu")


@pytest.mark.parametrize("support", ["float32", "float16"])
def test_the_plan_is_what_a_set_holds(
    support: str,
    configure: Callable[..., Config],
    trained: Callable[..., tuple[Pack, dict[str, State]]],
) -> None:
    config = configure(f"compute.support={support}")
    needs = support_needs(config, 400, 2)
    pack, _ = trained("policy", [(0, config)], 1)
    assert isinstance(pack, PolicyPack)
    held = pack.support[0]
    assert held is not None
    assert held.actions.numel() * held.actions.element_size() == 50 * 7 * 2 * needs["policy"].size
    assert needs["policy"].bytes == 50 * (8 + 7 * (2 * needs["policy"].size + 20))
    assert needs["critic"].bytes == 100 * (8 + 4 * 2 * needs["critic"].size)


def test_all_states_count_where_there_is_no_pool(configure: Callable[..., Config]) -> None:
    needs = support_needs(configure("policy.pool=0", "critic.pool=9999"), 400, 2)
    assert (needs["policy"].states, needs["critic"].states) == (400, 400)
    whole = configure("critic.returns_updates=9000", "critic.updates=9000")
    assert "critic" not in support_needs(whole, 400, 2)  # it asks for no support action


def test_what_does_not_fit_is_refused_with_the_arithmetic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need = Need("critic", 1_000_000, 64, 6, 4)
    monkeypatch.setattr(memory, "_free", lambda device: 2 * need.bytes)
    assert shortage(need, 2, CPU) is None
    text = shortage(need, 4, CPU)
    assert text == (
        "critic support 1.54 GB: 1,000,000 states x 64 actions x (6 x 4 bytes), 4 times, and "
        "3.09 GB are free on cpu: set critic.pool to at most 500,000, compute.support=float16 or "
        "a smaller critic.support_size"
    )
    monkeypatch.setattr(memory, "_free", lambda device: None)
    assert shortage(need, 4, CPU) is None


def test_this_machine_says_what_is_free() -> None:
    free = memory._free(CPU)
    assert free is None or 10**6 < free < 10**14


def test_bytes_in_words() -> None:
    assert [in_words(n) for n in (12, 12_345, 10**9)] == ["12 bytes", "12.3 kB", "1 GB"]

"""The loop never reads a tensor: on a GPU the host would wait for it in every update."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import torch

from qipo_ray.agent import Pack, State
from qipo_ray.config import Config

UPDATES = 10
READS = ("aten::_local_scalar_dense", "aten::nonzero")  # every .item(), bool(), mask


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("behaviour", []),
        ("critic", ["critic.returns_updates=0"]),
        ("policy", ["policy.loss_actions=0"]),
        ("policy", ["policy.loss_actions=1"]),
        ("policy", ["policy.loss_actions=2"]),
    ],
)
def test_the_host_never_waits_for_a_number(
    trained: Callable[..., tuple[Pack, dict[str, State]]],
    configure: Callable[..., Config],
    stage: str,
    changes: list[str],
) -> None:
    """What is left is of the CPU alone: Adam's step counts and the check of times."""
    other = "critic.returns_updates=500" if stage == "critic" else "behaviour.learning_rate=0.01"
    members = [(0, configure(*changes)), (1, configure(*changes, other))]
    pack, _ = trained(stage, members, 3)  # the support sets of the first round are there
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(UPDATES):
            pack.update()
    found = Counter(event.name for event in profile.events() if event.name in READS)
    steps = 2 * len(members) if stage == "critic" else len(members)  # rows of Adam: twins
    times = 0 if stage == "critic" else 1
    assert found == {"aten::_local_scalar_dense": UPDATES * (steps + times)}


@pytest.mark.slow
def test_members_of_a_mixed_critic_are_found_without_a_copy_in_every_update(
    trained: Callable[..., tuple[Pack, dict[str, State]]],
    configure: Callable[..., Config],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    members = [
        (0, configure("critic.returns_updates=0")),
        (1, configure("critic.returns_updates=500")),
    ]
    pack, _ = trained("critic", members, 3)
    made = []
    tensor = torch.tensor
    monkeypatch.setattr(torch, "tensor", lambda *a, **k: made.append(a) or tensor(*a, **k))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(UPDATES):
            pack.update()
    assert made == []
    assert not [event for event in profile.events() if event.name == "aten::lift_fresh"]

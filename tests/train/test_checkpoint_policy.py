"""The policy of a snapshot: which weights it has."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from qipo_ray.agent import PACKS, Member, State
from qipo_ray.study.job import Run
from qipo_ray.train.checkpoint_policy import CheckpointPolicy
from qipo_ray.train.dataset import tensors_of


@pytest.mark.parametrize("weights", ["online", "ema"])
def test_cloning_and_policy_are_scored_by_the_same_kind_of_weights(
    make_run: Callable[..., Run], weights: str
) -> None:
    run = make_run(f"evaluation.weights={weights}")
    data = tensors_of(run.jobs[0], torch.device("cpu"))
    states: dict[str, State] = {}
    for stage in ("behaviour", "critic", "policy"):
        pack = PACKS[stage](run.config, data)
        pack.admit(Member(run.config, 0), dict(states), None)
        for _ in range(3):
            pack.update()
        states[stage] = pack.state(0)
    for stage in ("behaviour", "policy"):
        found = states[stage]["weights"]
        assert not torch.equal(found["online"], found["ema"])
        first = next(iter(CheckpointPolicy(run.config, states[stage]).weights.values())).flatten()
        assert torch.equal(first, found[weights][0, : len(first)])

"""A search file's space: every fault is one line with its place."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qipo_ray.errors import UserError
from qipo_ray.study.search_spec import SearchSpec

SPACE_FAULTS = {
    "{}": "6: space has nothing to search: it is empty",
    "{behaviour.path: {choice: [ot]}}": "6: space has nothing to search: one configuration",
    "{policy.betta: {choice: [1, 2]}}": "6: space: unknown key 'policy.betta' (did you mean",
    "{evaluation.episodes: {choice: [1, 2]}}": "6: space: evaluation.episodes says how runs are",
    "{policy.beta: 3}": "6: space.policy.beta must be a mapping such as",
    "{policy.beta: {chioce: [1]}}": "6: space.policy.beta: unknown key 'chioce' (did you mean",
    "{policy.beta: {when: {behaviour.path: ot}}}": "6: space.policy.beta needs one of choice,",
    "{policy.beta: {choice: [1], grid: [2]}}": "needs one of choice, grid, int, uniform, loguni",
    "{policy.beta: {choice: []}}": "6: space.policy.beta.choice must be a list of values",
    "{policy.beta: {choice: [1, x]}}": "6: space.policy.beta.choice must be a finite number",
    "{policy.beta: {choice: [1, 1.0]}}": "6: space.policy.beta.choice has 1.0 twice",
    "{policy.beta: {uniform: [2, 1]}}": "6: space.policy.beta.uniform must be its lowest and",
    "{policy.beta: {uniform: [1, 2, 3]}}": "6: space.policy.beta.uniform must be its lowest",
    "{policy.beta: {uniform: [-1, 2]}}": "6: space.policy.beta.uniform must be a finite number",
    "{policy.beta: {loguniform: [0, 2]}}": "6: space.policy.beta.loguniform: the lowest value",
    "{policy.beta: {int: [1, 2]}}": "6: space.policy.beta.int: policy.beta is not one",
    "{policy.rounds: {uniform: [1, 2]}}": "policy.rounds is a whole number; use int",
    "{behaviour.path: {uniform: [ot, vp]}}": "behaviour.path is no number; use choice",
    "{behaviour.path: {choice: [ot, vq]}}": "must be one of ot, vp, trig; got 'vq'",
    "{policy.rounds: {choice: [1, 2], when: {behaviour.path: ot}}}": (
        "6: space.policy.rounds.when: 'behaviour.path' is not searched beside it"
    ),
    "{policy.rounds: {choice: [1, 2], when: ot}}": "6: space.policy.rounds.when must be a mapping",
    "{behaviour.path: {choice: [ot, vp]}, "
    "policy.rounds: {int: [1, 2], when: {behaviour.path: x}}}": (
        "6: space.policy.rounds.when: behaviour.path is never 'x'; it is one of ot, vp"
    ),
    "{policy.beta: {uniform: [1, 2]}, policy.rounds: {int: [1, 2], when: {policy.beta: 1}}}": (
        "policy.beta must be a choice or a grid, or the condition a range such as {min: 3}"
    ),
    "{policy.beta: {uniform: [1, 2], stp: 0.5}}": "unknown key 'stp' (did you mean 'step'?)",
    "{policy.beta: {loguniform: [1, 2], step: 0.5}}": (
        "6: space.policy.beta.step: goes with int and uniform alone: Optuna has no steps"
    ),
    "{policy.rounds: {int: [1, 9], step: 2, log: true}}": "step: goes with int and uniform",
    "{policy.rounds: {choice: [1, 9], step: 2}}": "step: goes with int and uniform",
    "{policy.rounds: {int: [1, 9], step: 3}}": "1 and steps of 3 come to 7, not to 9",
    "{policy.rounds: {int: [1, 9], step: 0.5}}": "step: must be a number above 0, for int a whole",
    "{policy.beta: {uniform: [1, 2], step: 0}}": "step: must be a number above 0, for int a whole",
    "{policy.beta: {uniform: [1, 2], log: true}}": "log: goes with int alone; uniform may be log",
    "{policy.rounds: {int: [1, 9], log: 3}}": "log: must be true or false; got 3",
    "{policy.data_updates: {int: [0, 9], log: true}}": "log: the lowest value must be at least 1",
    "{behaviour.width: {choice: [[16, 32], 64]}}": "must be a whole number at least 1",
    "{policy.beta: {uniform: [1, 2]}, "
    "policy.rounds: {int: [1, 2], when: {policy.beta: {mn: 1}}}}": (
        "6: space.policy.rounds.when: unknown key 'mn' (did you mean 'min'?); a range is {min: 3}"
    ),
    "{policy.beta: {uniform: [1, 2]}, "
    "policy.rounds: {int: [1, 2], when: {policy.beta: {min: 2, max: 1}}}}": (
        "when: a range is {min: 3}, {max: 9} or both, rising; got {min: 2, max: 1}"
    ),
    "{policy.beta: {uniform: [1, 2]}, "
    "policy.rounds: {int: [1, 2], when: {policy.beta: {min: 3}}}}": (
        "6: space.policy.rounds.when: policy.beta never comes there; it goes from 1 to 2"
    ),
    "{policy.beta: {choice: [1, 5]}, "
    "policy.rounds: {int: [1, 2], when: {policy.beta: {min: 2, max: 4}}}}": "never comes there",
    "{behaviour.path: {choice: [ot, vp]}, "
    "policy.rounds: {int: [1, 2], when: {behaviour.path: {min: 1}}}}": (
        "6: space.policy.rounds.when: behaviour.path is no number; name its values"
    ),
    "{behaviour.path: {choice: [ot, vp]}, "
    "policy.rounds: {grid: [1, 2], when: {behaviour.path: ot}}}": (
        "behaviour.path must be a grid too"
    ),
    "{policy.rounds: {choice: [1, 2], when: {policy.renew_every: 300}}, "
    "policy.renew_every: {choice: [300, 600], when: {policy.rounds: 1}}}": (
        "6: space.policy.rounds: its 'when' leads back to itself"
    ),
    "{policy.loss_actions: {choice: [0, 18]}}": "6: policy.loss_actions must be at most 17",
    "{policy.support_size: {choice: [8, 16]}, policy.loss_actions: {choice: [0, 12]}}": (
        "must be at most 9 (support_size, plus one with data_action); got 12 (with"
    ),
    "{policy.renew_every: {choice: [1, 300]}, policy.rounds: {int: [1, 3]}}": (
        "6: a policy stage of 1 updates is too short for 3 rungs at 1/9, 1/3, 1 of it"
    ),
    "{policy.beta: {grid: [1, 2, 3, 4]}, policy.rounds: {grid: [1, 2, 3, 4]}}": (
        "4: trials: 12 are too few for every point of the grid"
    ),
}  # fmt: skip


@pytest.mark.parametrize("space", SPACE_FAULTS)
def test_a_fault_of_the_space_is_one_line(make_spec: Callable, space: str) -> None:
    with pytest.raises(UserError) as caught:
        make_spec(f"space: {space}\n")
    assert "search.yaml:" in str(caught.value) and "\n" not in str(caught.value)
    assert SPACE_FAULTS[space] in str(caught.value)


def test_what_only_a_range_within_the_bounds_switches_on_is_tried_at_loading(
    make_spec: Callable[..., SearchSpec],
) -> None:
    """At neither end of beta; there 18 of 17 support actions would be drawn."""
    lines = """
        space:
          policy.beta: {uniform: [0, 10], step: 1}
          policy.method: {choice: [qipo, fql, cloning]}
          policy.loss_actions: {int: [0, 17], when: {policy.beta: {min: 4.5, max: 5.5}}}
          behaviour.best_episodes: {uniform: [0.1, 0.9], when: {policy.method: [qipo, fql]}}
        """
    spec = make_spec(lines)
    loss = next(p for p in spec.parameters if p.key == "policy.loss_actions")
    assert loss.active({"policy.beta": 5.0}) and not loss.active({"policy.beta": 4.0})
    assert spec.hash == make_spec(lines).hash != make_spec(lines.replace("5.5", "5.6")).hash
    with pytest.raises(UserError, match="policy.loss_actions must be at most 17"):
        make_spec(lines.replace("[0, 17]", "[0, 18]"))
    with pytest.raises(UserError, match="policy.loss_actions must be at most 17"):
        make_spec(lines.replace(", step: 1", "").replace("[0, 17]", "[0, 18]"))

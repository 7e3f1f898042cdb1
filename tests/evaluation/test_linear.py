"""Generated locomotion: policies that ship, what they do, and what the files hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from qipo_ray.agent import Member, Tensors, pack_of
from qipo_ray.config import load_config
from qipo_ray.data.load import load
from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import transitions
from qipo_ray.evaluation.generate import generate
from qipo_ray.evaluation.linear import FOLDER, Ladder
from qipo_ray.evaluation.replay import replay
from qipo_ray.train.checkpoint_policy import CheckpointPolicy

pytestmark = pytest.mark.slow  # whole data sets

NAMES = ["hopper", "halfcheetah", "walker2d"]
ROWS = 12_000  # twelve whole episodes and more
KINDS = ["random", "medium", "medium-replay", "medium-expert", "expert"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A function that makes a file once and returns its data."""
    folder, datasets = tmp_path_factory.mktemp("linear"), {}

    def make(task_id: str, rows: int):
        if (task_id, rows) not in datasets:
            path = generate(task_id, folder / f"{task_id}-{rows}.hdf5", rows)
            datasets[task_id, rows] = load(task_id, path)
        return datasets[task_id, rows]

    return make


def test_the_policies_are_a_few_kilobytes() -> None:
    files = list(FOLDER.glob("*.npz"))
    assert sorted(file.stem for file in files) == sorted(NAMES)
    assert sum(file.stat().st_size for file in files) < 20_000


@pytest.mark.parametrize("name", NAMES)
def test_a_ladder_leads_from_no_skill_to_the_best(name: str) -> None:
    ladder = Ladder.from_package(name)
    state, action = get_task(f"{name}-medium").sizes
    assert ladder.weights.shape == (len(ladder.returns), action, state + 1)
    assert 4 <= ladder.medium < ladder.expert  # medium-replay mixes many
    best = ladder.returns[ladder.expert]
    assert ladder.returns[0] < 0.15 * best
    assert ladder.returns[ladder.medium] == pytest.approx(best / 3, rel=0.15)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_sound_file(name: str, kind: str, dataset) -> None:
    task_id = f"{name}-{kind}"
    data = dataset(task_id, 600)
    assert (data.source, data.rows, data.next_observations.shape) == (
        "generated",
        600,
        data.observations.shape,
    )
    result = replay(data, get_task(task_id))
    assert result.error < 1e-5 and result.share_off == result.rewards_off == 0
    inside = ~(data.terminals | data.timeouts)[:-1]
    np.testing.assert_array_equal(
        data.next_observations[:-1][inside], data.observations[1:][inside]
    )


@pytest.mark.parametrize("name", NAMES)
def test_actions_at_a_state_differ(name: str, dataset) -> None:
    """Sixteen episodes of one policy at the same state: the spread that a clone should learn."""
    task, ladder = get_task(f"{name}-medium"), Ladder.from_package(name)
    for level in (ladder.medium, ladder.expert):
        spreads = []
        for state in dataset(task.id, 600).observations[::20]:
            acts = [
                ladder.behaviour(level, np.random.default_rng(seed), 1)(state, 0)
                for seed in range(16)
            ]
            spreads.append(np.std(acts, axis=0).mean())
        assert np.mean(spreads) >= 0.15


@pytest.mark.parametrize("name", NAMES)
def test_a_clone_has_something_to_select_by(name: str, dataset) -> None:
    """Sixteen actions of a behaviour model trained on the file differ at a state."""
    task = get_task(f"{name}-medium-replay")
    rows = transitions(dataset(task.id, ROWS), task, "paper", 0.99)
    data = Tensors.from_transitions(rows, "standard", torch.device("cpu"))
    config = load_config("quickstart")
    pack = pack_of("behaviour", config, data)
    pack.admit(Member(config, 0), {}, None)
    for _ in range(600):
        pack.update()
    policy = CheckpointPolicy(config, pack.state(0))
    states = torch.from_numpy(np.repeat(rows.observations[::100], 16, axis=0))
    noise = torch.randn(len(states), data.action_dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        actions = policy(states, noise).unflatten(0, (-1, 16))
    assert actions.std(1).mean() >= 0.15


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["medium", "medium-replay", "medium-expert"])
def test_returns_of_a_file_spread(name: str, kind: str, dataset) -> None:
    data = dataset(f"{name}-{kind}", ROWS)
    returns = data.episode_returns()[:-1]
    assert len(returns) > 10 and returns.std() >= 0.3 * returns.mean()


@pytest.mark.parametrize("name", NAMES)
def test_medium_is_near_a_third_of_expert(name: str, dataset) -> None:
    medium, expert = (
        dataset(f"{name}-{kind}", ROWS).episode_returns()[:-1].mean()
        for kind in ("medium", "expert")
    )
    assert 0.25 <= medium / expert <= 0.42  # a file of this size knows it to 17 per cent
    halves = dataset(f"{name}-medium-expert", ROWS)
    late = halves.episodes[:, 0] >= ROWS // 2
    returns = halves.episode_returns()
    assert returns[late][:-1].mean() > 1.5 * returns[~late].mean()


def test_episodes_end_by_a_fall_or_at_the_horizon(dataset) -> None:
    walker, cheetah = dataset("walker2d-medium", 600), dataset("halfcheetah-medium", 2500)
    assert walker.terminals.any() and not (walker.terminals & walker.timeouts).any()
    assert np.flatnonzero(cheetah.timeouts).tolist() == [999, 1999]


@pytest.mark.parametrize("task_id", ["walker2d-medium-replay", "hopper-random"])
def test_equal_seeds_give_equal_bytes(task_id: str, tmp_path: Path) -> None:
    files = [
        generate(task_id, tmp_path / f"{number}.hdf5", 300, seed=seed).read_bytes()
        for number, seed in enumerate((1, 1, 2))
    ]
    assert files[0] == files[1] != files[2]

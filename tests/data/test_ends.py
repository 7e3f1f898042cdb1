"""Ends of episodes as other libraries name them, in files as those libraries write them."""

from __future__ import annotations

import numpy as np
import pytest

from qipo_ray.data.ends import LAST_ROWS, LIMITS, looks_like_ends
from qipo_ray.data.load import read
from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import transitions
from qipo_ray.errors import UserError

TASK = get_task("hopper-medium-replay-v2")


@pytest.fixture
def ends(columns):
    """Columns of four episodes, two of which end by a terminal; time limits; all last rows."""
    content = columns(TASK.id)
    last = np.arange(40) % 10 == 9
    content["terminals"] = last & (np.arange(40) // 10 % 2 == 0)
    content["timeouts"] = None
    return content, last & ~content["terminals"], last


@pytest.mark.parametrize("name", [*LIMITS, *LAST_ROWS])
def test_a_known_name_is_read_with_its_meaning(name: str, ends, write) -> None:
    content, limits, last = ends
    flags = limits if name in LIMITS else last
    dataset = read(write({**content, name: flags.astype(np.float32)[:, None]}), TASK)
    np.testing.assert_array_equal(dataset.timeouts, limits)
    np.testing.assert_array_equal(dataset.terminals, content["terminals"])
    assert len(dataset.episodes) == 4
    assert dataset.notes == (f"the file has no timeouts: ends of episodes are those of {name}",)
    as_d4rl = read(write({**content, "timeouts": limits}, "d4rl.hdf5"), TASK)
    for key, values in vars(transitions(as_d4rl, TASK, "raw", 0.99)).items():
        np.testing.assert_array_equal(
            getattr(transitions(dataset, TASK, "raw", 0.99), key), values
        )


def test_a_truncated_terminal_is_a_terminal(ends, write) -> None:
    content, _, last = ends
    dataset = read(write({**content, "truncations": last}), TASK)
    assert not (dataset.timeouts & dataset.terminals).any() and dataset.timeouts.sum() == 2


@pytest.mark.parametrize("name", ["is_first", "episode_ids", "time_limits", "traj_end", "Done"])
def test_a_name_that_looks_like_ends_is_refused_by_name(name: str, ends, write) -> None:
    content, _, last = ends
    with pytest.raises(
        UserError, match=f"'{name}' may mark the ends of episodes; known names are"
    ):
        read(write({**content, name: last}), TASK)


@pytest.mark.parametrize(
    "name", ["infos", "metadata", "action_log_std", "latent", "friends", "qpos", "goal", "blast"]
)
def test_other_columns_are_left_alone(name: str, ends, write) -> None:
    content, _, last = ends
    assert not looks_like_ends(name)
    dataset = read(write({**content, name: last}), TASK)
    assert "cut every 1000 rows" in dataset.notes[0]


def test_beside_timeouts_another_column_is_held_against_them(ends, write) -> None:
    content, limits, last = ends
    told = read(write({**content, "timeouts": limits, "dones": last, "episode_ids": last}), TASK)
    assert told.notes == () and told.timeouts.sum() == 2
    silent = read(write({**content, "timeouts": 0 * limits, "dones": last}, "b.hdf5"), TASK)
    assert silent.timeouts.sum() == 0
    assert silent.notes == (
        "dones marks 2 ends that are neither terminals nor timeouts; it is not read",
    )


def test_a_column_of_another_length_or_type_is_refused(ends, write) -> None:
    content, _, last = ends
    with pytest.raises(UserError, match=r"dones have shape \(39,\); expected \(40,\)"):
        read(write({**content, "dones": last[1:]}), TASK)
    with pytest.raises(UserError, match="other than 0 and 1"):
        read(write({**content, "dones": np.arange(40.0)}), TASK)

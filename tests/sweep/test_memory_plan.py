"""The memory line of a sweep: the largest sets that its space and the paper's form can ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from qipo_ray.data.load import load
from qipo_ray.data.transitions import Dataset
from qipo_ray.evaluation.generate import generate
from qipo_ray.study.search_spec import SearchSpec, changed
from qipo_ray.sweep.memory_plan import memory_line

SPACE = """\
set: {critic.pool: 300, critic.returns_updates: 0}
resources: {workers: 1, cpus: 1, slots: 4}
space:
  policy.pool: {choice: [100, 200]}
  policy.support_size: {int: [2, 9]}
  policy.beta: {loguniform: [5, 60]}
"""


@pytest.fixture(scope="module")
def point(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = generate("point", tmp_path_factory.mktemp("data") / "point.hdf5", rows=2000)
    return load("point", path)


def test_the_largest_sets_of_the_space(
    make_spec: Callable[..., SearchSpec], point: Dataset
) -> None:
    line = memory_line(make_spec(SPACE), point, 4)
    assert line.startswith("memory of point: up to ") and " for 4 jobs at once; " in line
    assert "policy support" in line and ": 200 states x 10 actions x (2 x 4 bytes" in line
    assert ": 300 states x 8 actions x (2 x 4 bytes)" in line


def test_the_papers_form_counts(make_spec: Callable[..., SearchSpec], point: Dataset) -> None:
    line = memory_line(make_spec(SPACE + "paper: {policy.pool: 1500}\n"), point, 1)
    assert ": 1,500 states x" in line


def test_sizes_that_no_configuration_may_have_are_left_out(
    make_spec: Callable[..., SearchSpec], point: Dataset
) -> None:
    """The base draws five actions, where the space never does beside the smallest support."""
    spec = make_spec(SPACE + "  policy.loss_actions: {choice: [1, 2]}\n")
    spec = replace(spec, base=changed(spec.base, {"policy.loss_actions": 5}))
    assert ": 200 states x 10 actions x (2 x 4 bytes" in memory_line(spec, point, 1)
    small = tuple(
        replace(one, values=(2, 3)) for one in spec.parameters if one.key == "policy.support_size"
    )
    base = changed(spec.base, {"policy.support_size": 12})
    line = memory_line(replace(spec, parameters=small, base=base), point, 1)
    assert " for a job; policy support" in line and " x 13 actions x" in line  # the base alone

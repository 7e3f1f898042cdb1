from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from qipo_ray.data.picture import BINS, histogram, picture
from qipo_ray.data.tasks import get_task
from qipo_ray.data.transitions import Dataset

SVG = "{http://www.w3.org/2000/svg}"


def dataset(columns, task_id: str, rows: int = 12_000) -> Dataset:
    values = columns(task_id, rows)
    values["timeouts"][19::20] = True
    return Dataset(task_id, Path(), "other", "", rows, **values, next_observations=None)


@pytest.mark.slow_after(1)
@pytest.mark.parametrize(
    ("task_id", "dots"), [("hopper-medium-v2", 600), ("maze2d-umaze-v1", 4000)]
)
def test_both_panels(columns, task_id: str, dots: int) -> None:
    root = ElementTree.fromstring(picture(dataset(columns, task_id), get_task(task_id)))
    assert len(root.findall(f"{SVG}circle")) == dots
    assert len(root.findall(f"{SVG}rect")) == BINS + 3  # bars, two frames, the ground
    assert "600 episodes" in root.find(f"{SVG}text").text


@pytest.mark.parametrize("returns", [np.array([3.0]), np.zeros(5), np.arange(100.0)])
def test_a_histogram_counts_every_episode(returns) -> None:
    counts, borders = histogram(returns)
    assert counts.sum() == len(returns) and len(borders) == len(counts) + 1 == BINS + 1

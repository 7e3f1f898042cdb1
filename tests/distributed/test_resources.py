"""Room for workers: counted by machine, refused with the arithmetic."""

from __future__ import annotations

from typing import Any

import pytest

from qipo_ray.distributed.resources import count_workers
from qipo_ray.errors import UserError
from qipo_ray.study.search_spec import Resources


def ask(workers: Any, cpus: float = 1.0, gpus: float = 0.0, **more: Any) -> Resources:
    return Resources(workers, cpus, gpus, slots=1, **more)


@pytest.mark.parametrize(
    ("resources", "nodes", "expected"),
    [
        (ask(2), [{"CPU": 2.0}], 2),
        (ask("auto"), [{"CPU": 5.0}], 5),
        (ask("auto", cpus=2), [{"CPU": 5.0}, {"CPU": 3.0}], 3),
        (ask("auto", cpus=2, gpus=1), [{"CPU": 16.0, "GPU": 4.0}, {"CPU": 64.0}], 4),
        (ask(8, cpus=1, gpus=0.5), [{"CPU": 16.0, "GPU": 4.0}], 8),
        (ask("auto", gpus=0.6), [{"CPU": 16.0, "GPU": 4.0}], 4),  # no part spans two GPUs
        (ask("auto", gpus=0.1, cpus=0.1), [{"CPU": 0.3, "GPU": 1.0}], 3),
        (ask("auto", max_share=0.5), [{"CPU": 5.0}, {"CPU": 2.0}], 3),
        (ask("auto", max_share=0.1), [{"CPU": 5.0}], 1),
        (ask("auto", wait=True), [], 1),  # the machines are still to come
        (ask("auto", wait=True), [{"CPU": 2.0}], 2),
        (ask(5, wait=True), [{"CPU": 2.0}], 5),
    ],
)
def test_workers_are_counted(
    resources: Resources, nodes: list[dict[str, float]], expected: int
) -> None:
    assert count_workers(resources, nodes, "here") == expected


@pytest.mark.parametrize(
    ("resources", "nodes", "text"),
    [
        (ask(3), [{"CPU": 2.0}], "3 workers x 1 CPU = 3 CPUs, but here has 2 CPUs: room for 2"),
        (ask(1, cpus=4), [{"CPU": 2.0}, {"CPU": 2.0}], "here has 2 CPUs; 2 CPUs: room for 0"),
        (
            ask("auto", gpus=1),
            [{"CPU": 2.0}],
            "1 GPU, but here has 2 CPUs and 0 GPUs: room for 0",
        ),
        (ask(3, max_share=0.5), [{"CPU": 4.0}], "room for 4, of which max_share 0.5 leaves 2;"),
        (
            ask("auto"),
            [],
            "here has no machine: room for 0; ask for fewer or smaller workers, or ",
        ),
    ],
)
def test_what_never_fits_is_refused(
    resources: Resources, nodes: list[dict[str, float]], text: str
) -> None:
    with pytest.raises(UserError) as refused:
        count_workers(resources, nodes, "here")
    assert text in str(refused.value) and "\n" not in str(refused.value)

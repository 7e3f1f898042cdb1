"""Several workers on one GPU, placed by Ray. It is one on paper, so they train nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from qipo_ray.distributed.client import broker_of
from qipo_ray.distributed.ray_service import RayTrainingService
from qipo_ray.study.search_spec import Resources

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context"),  # its own defaults
]

LIMIT_S = 900.0
QUARTERS = Resources(workers="auto", cpus=0.5, gpus=0.25, slots=1)


def test_four_workers_share_a_gpu_at_once(cluster: None, tmp_path: Path) -> None:
    import ray

    with RayTrainingService.start(tmp_path, QUARTERS) as service:
        assert service.slots == 4  # there are CPUs for six
        broker, end = broker_of(service.namespace), time.monotonic() + LIMIT_S
        while len(ray.get(broker.roll_call.remote()).at_work) < 4:
            assert time.monotonic() < end
            service.follow()
        assert ray.available_resources().get("GPU", 0.0) == 0.0

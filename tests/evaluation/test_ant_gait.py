"""The gait walks an ant where it is told, upright."""

from __future__ import annotations

import numpy as np
import pytest

from qipo_ray.evaluation.ant_gait import torques

pytest.importorskip("ogbench", reason="OGBench's ant is not installed")


@pytest.mark.parametrize("direction", np.arange(8) * np.pi / 4)
def test_an_ant_walks_in_every_direction(direction: float) -> None:
    from ogbench.locomaze.ant import AntEnv

    env = AntEnv(render_mode=None)
    env.reset(seed=3)
    data = env.unwrapped.data
    start, heights = data.qpos[:2].copy(), []
    for _ in range(100):  # ten seconds
        env.step(np.clip(torques(data.qpos, data.qvel, data.time, direction), -1, 1))
        heights.append(data.qpos[2])
    env.close()
    way = np.array([np.cos(direction), np.sin(direction)])
    across = np.array([-way[1], way[0]])
    walked = data.qpos[:2] - start
    assert walked @ way > 5 and abs(walked @ across) < 2.5
    assert min(heights) > 0.3

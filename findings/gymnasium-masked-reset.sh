#!/bin/bash
# Gymnasium's RecordEpisodeStatistics for vectors of environments counts wrongly after a masked
# reset: it sets the counters of all environments to zero, also of those that go on. Here one
# environment ends after 2 steps and the other after 5, with a reward of 1 for each step; of the
# other's episodes it tells less than 5 steps. (`qipo_ray/evaluation` keeps its own counts.)
#
# Seen on Linux with Python 3.11; the script fails where a release behaves otherwise:
#   gymnasium 1.4.0: environment 0 is told 2 steps 5 times, environment 1 is told 1, 2 steps, not 5
set -euo pipefail
cd "$(dirname "$0")/.."
seen=$(.venv/bin/python - <<'PYTHON'
import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics


class Clock(gymnasium.Env):
    """Ends after a number of steps."""

    observation_space = gymnasium.spaces.Box(0, 100, (1,))
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, length):
        self.length = length

    def reset(self, seed=None, options=None):
        self.time = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.time += 1
        ended = self.time == self.length
        return np.full(1, self.time, np.float32), 1.0, ended, False, {}


clocks = [lambda: Clock(2), lambda: Clock(5)]
envs = RecordEpisodeStatistics(SyncVectorEnv(clocks, autoreset_mode=AutoresetMode.DISABLED))
envs.reset()
told = {0: [], 1: []}
for _ in range(10):
    *_, ended, cut, info = envs.step(np.zeros(2, int))
    done = ended | cut
    for index in np.flatnonzero(done):
        told[int(index)].append(int(info["episode"]["l"][index]))
    if done.any():
        envs.reset(options={"reset_mask": done})
print(
    f"gymnasium {gymnasium.__version__}: environment 0 is told {told[0][0]} steps {len(told[0])} "
    f"times, environment 1 is told {', '.join(map(str, told[1]))} steps, not 5"
)
PYTHON
)
echo "$seen"
grep '^#   gymnasium ' "findings/$(basename "$0")" | cut -c5- | diff - <(echo "$seen")

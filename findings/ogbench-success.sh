#!/bin/bash
# OGBench's single-task environments judge the state before the action, its goal-conditioned ones
# that after it. So who arrives at the goal with the last allowed step has failed in the former and
# has succeeded in the latter; success rates of the two are not the same measure.
#
# Seen on Linux with Python 3.11; the script fails where a release behaves otherwise:
#   ogbench 1.2.2: arriving with this step: goal-conditioned success 1, single-task success 0, 1 a step later
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet ogbench==1.2.2 gymnasium==1.4.0 mujoco==4.0.0 2>/dev/null
seen=$("$folder/bin/python" - <<'PYTHON'
from importlib.metadata import version

import gymnasium
import numpy as np
import ogbench  # registers its environments


def successes(name, **options):
    """Two steps towards the goal, the first of which arrives."""
    env = gymnasium.make(name)
    env.reset(seed=0, options=options)
    maze = env.unwrapped
    direction = np.array([1.0, 0.0])
    maze.set_xy(maze.cur_goal_xy - (maze._goal_tol + 0.05) * direction)
    return [int(env.step(direction)[4]["success"]) for _ in range(2)]


conditioned = successes("pointmaze-medium-v0", task_id=1)
single = successes("pointmaze-medium-singletask-task1-v0")
print(
    f"ogbench {version('ogbench')}: arriving with this step: goal-conditioned success "
    f"{conditioned[0]}, single-task success {single[0]}, {single[1]} a step later"
)
PYTHON
)
echo "$seen"
grep '^#   ogbench ' "$0" | cut -c5- | diff - <(echo "$seen")

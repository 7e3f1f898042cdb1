#!/bin/bash
# What Minari hands out of sets that it wrote itself. From Arrow and Parquet an episode of more than
# 32,767 steps comes back cut, and its rest stands in place of the next one; an episode with as many
# observations as actions, as buffers in D4RL's shape have them, loses its last step and with it its
# end. HDF5 keeps both. A dictionary of observations comes back with its keys sorted, so that
# columns laid flat are not those of `gymnasium.spaces.flatten` in the environment. Episodes that
# were filtered out are in a combined set again. (`qipo_ray/data/imports/minari.py` reads the files
# itself, takes the order from the set's metadata, and says what was combined.)
#
# Seen on Linux with Python 3.11; the script fails where a release behaves otherwise:
#   minari 0.5.4, hdf5: steps of 40000 and 5 are [40000, 5]; of 4 and 5 with as many observations [4, 5], ends [True, True]
#   minari 0.5.4, arrow: steps of 40000 and 5 are [32767, 7232]; of 4 and 5 with as many observations [3, 4], ends [False, False]
#   minari 0.5.4, parquet: steps of 40000 and 5 are [32767, 7232]; of 4 and 5 with as many observations [3, 4], ends [False, False]
#   minari 0.5.4: keys robot, goal come back as goal, robot; of 2 episodes filter keeps 1, combined 2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "minari==0.5.4" "gymnasium==1.4.0" "numpy==2.4.6" \
    "h5py==3.16.0" "pyarrow==26.0.1" "pillow==13.0.0" 2>/dev/null
MINARI_DATASETS_PATH="$folder/sets" "$folder/venv/bin/python" -W ignore - <<'PYTHON' | tee "$folder/now"
import minari
import numpy as np
from gymnasium.spaces import Box, Dict
from minari.data_collector import EpisodeBuffer

OBSERVED, ACTED = Box(-9, 9, (3,)), Box(-1, 1, (2,))


def episode(steps, observations):
    last = np.arange(steps) == steps - 1
    return EpisodeBuffer(
        observations=observations, actions=np.zeros((steps, 2), np.float32),
        rewards=np.zeros(steps), terminations=last, truncations=np.zeros(steps, bool), infos={},
    )


def write(name, episodes, observed=OBSERVED, data_format="hdf5"):
    spaces = {"observation_space": observed, "action_space": ACTED}
    minari.create_dataset_from_buffers(name, episodes, data_format=data_format, **spaces)
    return minari.load_dataset(name)


def rows(count):
    return np.zeros((count, 3), np.float32)


for form in ("hdf5", "arrow", "parquet"):
    long = write(f"own/long-{form}-v0", [episode(n, rows(n + 1)) for n in (40_000, 5)],
                 data_format=form)
    short = write(f"own/short-{form}-v0", [episode(n, rows(n)) for n in (4, 5)], data_format=form)
    ends = [bool(e.terminations[-1]) for e in short]
    print(
        f"minari {minari.__version__}, {form}: steps of 40000 and 5 are "
        f"{[len(e) for e in long]}; of 4 and 5 with as many observations "
        f"{[len(e) for e in short]}, ends {ends}"
    )
space = Dict([("robot", OBSERVED), ("goal", OBSERVED)])
parts = write("own/parts-v0", [episode(4, {key: rows(5) for key in space})], space)
whole = write("own/whole-v0", [episode(n, rows(n + 1)) for n in (4, 5)])
kept = whole.filter_episodes(lambda e: len(e) > 4)
combined = minari.combine_datasets([kept], "own/combined-v0")
print(
    f"minari {minari.__version__}: keys {', '.join(space)} come back as "
    f"{', '.join(parts.observation_space)}; of {len(whole)} episodes filter keeps {len(kept)}, "
    f"combined {len(combined)}"
)
PYTHON
grep "^#   minari" "$0" | cut -c5- | diff - "$folder/now"

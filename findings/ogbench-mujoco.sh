#!/bin/bash
# OGBench 1.2.2 refuses MuJoCo 3.9.0 and is else 1.2.1, file by file, which takes it: beside a pinned
# MuJoCo 3.9.0 pip finds no 1.2.2, and without a pin of OGBench it silently takes 1.2.1. Here six
# domains move alike under 3.8.1 and 3.9.0. (`constraints.txt` has 1.2.1.)
#
# Seen on Linux with Python 3.11; the script fails where a release behaves otherwise:
#   ogbench 1.2.2 needs mujoco !=3.9.0,>=3.1.6; 1.2.1 needs mujoco >=3.1.6; other files that differ: 0
#   ogbench 1.2.1: 6 of 6 domains move alike for 50 steps under MuJoCo 3.8.1 and 3.9.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
needs() { # a version: what it asks of MuJoCo, in the order of the alphabet
    grep -ih "^Requires-Dist: mujoco" "$folder/$1"/*.dist-info/METADATA | sed 's/.*mujoco//; s/[ ()]//g' |
        tr , '\n' | LC_ALL=C sort | paste -sd, -
}
python3 -m venv "$folder/venv"
for version in 1.2.1 1.2.2; do
    "$folder/venv/bin/pip" install --quiet --no-deps --target "$folder/$version" \
        "ogbench==$version" 2>/dev/null
done
different=$(diff -rq -x '*.dist-info' -x __pycache__ "$folder/1.2.1" "$folder/1.2.2" | wc -l)
echo "ogbench 1.2.2 needs mujoco $(needs 1.2.2); 1.2.1 needs mujoco $(needs 1.2.1); other files" \
    "that differ: $different" | tee "$folder/now"
for mujoco in 3.8.1 3.9.0; do
    "$folder/venv/bin/pip" install --quiet ogbench==1.2.1 "mujoco==$mujoco" dm_control==1.0.41 \
        gymnasium==1.4.0 numpy==2.4.6 2>/dev/null
    "$folder/venv/bin/python" -W ignore - <<'PYTHON' >"$folder/$mujoco"
import gymnasium
import numpy as np
import ogbench  # registers its environments

for domain in ("pointmaze-medium", "antmaze-medium", "antsoccer-arena", "cube-single", "scene",
               "puzzle-3x3"):
    env = gymnasium.make(f"{domain}-singletask-v0")
    np.random.seed(0)
    env.action_space.seed(0)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(50):
        state = env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32))[0]
    print(domain, state.astype(np.float64).tobytes().hex())
PYTHON
done
same=$(comm -12 <(sort "$folder/3.8.1") <(sort "$folder/3.9.0") | wc -l)
echo "ogbench 1.2.1: $same of $(wc -l <"$folder/3.9.0") domains move alike for 50 steps under" \
    "MuJoCo 3.8.1 and 3.9.0" | tee -a "$folder/now"
grep "^#   ogbench" "$0" | cut -c5- | diff - "$folder/now"

#!/bin/bash
# MuJoCo 4 is several packages. `pip install --upgrade` from MuJoCo 3 unpacks the new ones first and
# then removes the old one, with files of the new in it: `import mujoco` fails afterwards, until
# they are installed anew. (`qipo_ray/evaluation/_mujoco.py` says so in one line.)
#
# Seen on Linux with Python 3.11; the script fails where a release behaves otherwise:
#   mujoco 3.9.0 to 4.0.0: broken; after --force-reinstall: works
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
pip=("$folder/bin/pip" install --quiet)
"${pip[@]}" mujoco==3.9.0 2>/dev/null
"${pip[@]}" --upgrade mujoco==4.0.0 mujoco-core==4.0.0 mujoco-studio==4.0.0 2>/dev/null
state() { "$folder/bin/python" -c 'import mujoco; mujoco.MjModel' 2>/dev/null && echo works || echo broken; }
before=$(state)
"${pip[@]}" --force-reinstall --no-deps mujoco==4.0.0 mujoco-core==4.0.0 mujoco-studio==4.0.0 2>/dev/null
seen="mujoco 3.9.0 to 4.0.0: $before; after --force-reinstall: $(state)"
echo "$seen"
grep '^#   mujoco ' "$0" | cut -c5- | diff - <(echo "$seen")

#!/bin/bash
# MuJoCo's contacts after 3.4. From 3.5 on the margins of both geoms add up, where the larger one
# counted; an explicit pair keeps its own. From 3.8 on two convex bodies touch in several points
# unless told not to. So hopper, ant and the mazes of D4RL's time move otherwise on a newer MuJoCo
# (`qipo_ray/evaluation/_mujoco.py` puts both back).
#
# Seen on Linux with Python 3.11; the script fails where a release behaves otherwise:
#   mujoco 3.4.0: margins 0.01 and 0.01 give 0.01, with a pair's own 0.03 0.03; several points: on demand
#   mujoco 3.5.0: margins 0.01 and 0.01 give 0.02, with a pair's own 0.03 0.03; several points: on demand
#   mujoco 3.8.0: margins 0.01 and 0.01 give 0.02, with a pair's own 0.03 0.03; several points: by default
#   mujoco 3.9.0: margins 0.01 and 0.01 give 0.02, with a pair's own 0.03 0.03; several points: by default
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
seen() { grep "^#   mujoco $1: " "$0" | cut -c5-; }
for version in 3.4.0 3.5.0 3.8.0 3.9.0; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet "mujoco==$version" 2>/dev/null
    "$folder/$version/bin/python" - <<'PYTHON' | tee "$folder/now"
import mujoco

BODIES = """
<mujoco>
  <worldbody>
    <geom name="floor" type="plane" size="1 1 1" margin="0.01"/>
    <body pos="0 0 0.1"><freejoint/><geom name="ball" type="sphere" size="0.1" margin="0.01"/></body>
  </worldbody>
  {}
</mujoco>
"""
PAIR = '<contact><pair geom1="floor" geom2="ball" margin="0.03"/></contact>'


def margin(pair=""):
    model = mujoco.MjModel.from_xml_string(BODIES.format(pair))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return f"{data.contact[0].includemargin:g}"


several = "by default" if hasattr(mujoco.mjtDisableBit, "mjDSBL_MULTICCD") else "on demand"
print(
    f"mujoco {mujoco.__version__}: margins 0.01 and 0.01 give {margin()}, with a pair's own 0.03 "
    f"{margin(PAIR)}; several points: {several}"
)
PYTHON
    seen "$version" | diff - "$folder/now"
done

#!/bin/bash
# What changed in MuJoCo's contacts after 3.4: from 3.5 on the margins of both geoms add up, where the
# larger one counted; an explicit pair keeps its own. From 3.8 on two convex bodies touch in several
# points unless told not to. `qipo_ray/evaluation/_mujoco.py` puts both back.
#
#   findings/mujoco-3.5-margins.sh [RELEASE ...]     needs python3 with venv, and a package index
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
[ $# -gt 0 ] || set -- 3.4.0 3.5.0 3.8.0 3.9.0
for version in "$@"; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet "mujoco==$version" 2>/dev/null
    "$folder/$version/bin/python" - <<'PYTHON'
import mujoco

BODIES = """
<mujoco>
  <worldbody>
    <geom name="floor" type="plane" size="1 1 1" margin="{}"/>
    <body pos="0 0 0.1"><freejoint/><geom name="ball" type="sphere" size="0.1" margin="{}"/></body>
  </worldbody>
  {}
</mujoco>
"""
PAIR = '<contact><pair geom1="floor" geom2="ball" margin="0.03"/></contact>'


def margin(floor, ball, pair=""):
    model = mujoco.MjModel.from_xml_string(BODIES.format(floor, ball, pair))
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return float(data.contact[0].includemargin)


several = hasattr(mujoco.mjtDisableBit, "mjDSBL_MULTICCD")
print(
    f"mujoco {mujoco.__version__}: margins 0.01 and 0.01 give {margin(0.01, 0.01):g}, 0 and 0.01 "
    f"give {margin(0, 0.01):g}, with a pair's own 0.03 {margin(0.01, 0.01, PAIR):g}; several "
    f"points of two convex bodies: {'unless told not to' if several else 'only where asked for'}"
)
PYTHON
done

#!/bin/bash
# LeRobot keeps a feature of one number, such as a reward, with the shape (1,): an array that its data
# sets hand to `datasets` as a plain Value. From NumPy 2.4 on `datasets` refuses it, so a LeRobot
# set with `next.reward` cannot be written; on NumPy 2.2 the numbers come back. LeRobot 0.4.4 has no upper
# bound for NumPy. (Our import reads both what LeRobot wrote on 2.2 and Parquet of the same layout.)
#
# Seen on Linux with Python 3.11; the script fails where a release behaves otherwise:
#   lerobot 0.4.4 asks for datasets <5.0.0,>=4.0.0 and no numpy below 2.4
#   datasets 4.1.1 on numpy 2.2.6: [0.5, 1.0]
#   datasets 4.1.1 on numpy 2.4.6: TypeError: only 0-dimensional arrays can be converted to Python scalars
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-deps --target "$folder/lerobot" lerobot==0.4.4 2>/dev/null
needs() { # a package: what LeRobot asks of it
    grep -ih "^Requires-Dist: $1[<>=!]" "$folder/lerobot"/*.dist-info/METADATA | grep -v extra |
        sed "s/.*: $1//" || true
}
case $(needs numpy) in *"<"*) bound="a" ;; *) bound="no" ;; esac
echo "lerobot 0.4.4 asks for datasets $(needs datasets) and $bound numpy below 2.4" | tee "$folder/now"
for numpy in 2.2.6 2.4.6; do
    "$folder/venv/bin/pip" install --quiet datasets==4.1.1 "numpy==$numpy" 2>/dev/null
    "$folder/venv/bin/python" -W ignore - <<'PYTHON' | tee -a "$folder/now"
import datasets
import numpy as np

rewards = {"next.reward": [np.array([0.5], np.float32), np.array([1.0], np.float32)]}
kinds = datasets.Features({"next.reward": datasets.Value("float32")})  # as LeRobot says (1,)
try:
    said = datasets.Dataset.from_dict(rewards, features=kinds, split="train")["next.reward"][:]
except TypeError as error:
    said = f"TypeError: {error}"
print(f"datasets {datasets.__version__} on numpy {np.__version__}: {said}")
PYTHON
done
grep "^#   [ld]" "$0" | cut -c5- | diff - "$folder/now"

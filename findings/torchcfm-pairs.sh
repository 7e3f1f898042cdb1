#!/bin/bash
# torchcfm draws the pairs of a minibatch's optimal transport from NumPy's global generator: they
# change with NumPy's seed, and not with torch's, which is the one that training sets. (This package
# takes torchcfm in its tests alone, and only what draws nothing.)
#
# Seen on Linux with Python 3.11; the script fails where a release behaves otherwise:
#   torchcfm 1.0.7: another torch seed gives the same pairs, another NumPy seed others
set -euo pipefail
cd "$(dirname "$0")/.."
seen=$(.venv/bin/python - <<'PYTHON'
from importlib.metadata import version

import numpy as np
import torch
from torchcfm.optimal_transport import OTPlanSampler

start, end = torch.randn(64, 2), torch.randn(64, 2)


def pairs(torch_seed, numpy_seed):
    torch.manual_seed(torch_seed)
    np.random.seed(numpy_seed)
    return OTPlanSampler("exact").sample_plan(start, end)[0]


first = pairs(0, 0)
by_torch, by_numpy = ("the same pairs" if torch.equal(first, other) else "others"
                      for other in (pairs(1, 0), pairs(0, 1)))
print(
    f"torchcfm {version('torchcfm')}: another torch seed gives {by_torch}, another NumPy seed "
    f"{by_numpy}"
)
PYTHON
)
echo "$seen"
grep '^#   torchcfm ' "findings/$(basename "$0")" | cut -c5- | diff - <(echo "$seen")

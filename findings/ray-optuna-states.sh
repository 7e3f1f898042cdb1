#!/bin/bash
# Ray Tune's OptunaSearch does not tell Optuna how every trial ended. One that ends with NaN is left
# RUNNING for ever (Optuna refuses the value, Ray only logs that), so a sampler with `constant_liar`
# counts it as under way; one that a scheduler stopped is told as COMPLETE, as if its value were a
# final one. (`qipo_ray/sweep/task_study.py` tells Optuna itself.)
#
# Seen on Linux with Python 3.11; the script fails where a release behaves otherwise:
#   ray 2.60.0, optuna 5.0.0: NaN RUNNING, stopped COMPLETE, failed FAIL, finished COMPLETE
set -euo pipefail
cd "$(dirname "$0")/.."
seen=$(.venv/bin/python - 2>/dev/null <<'PYTHON'
import optuna
import ray
from ray.tune.search.optuna import OptunaSearch

space = {"x": optuna.distributions.FloatDistribution(0, 1)}
search = OptunaSearch(space=space, metric="score", mode="max")
for name in ("NaN", "stopped", "failed", "finished"):
    search.suggest(name)
    search.on_trial_result(name, {"score": 0.5, "training_iteration": 1})
search.on_trial_complete("NaN", {"score": float("nan"), "training_iteration": 2})
search.on_trial_complete("stopped", {"score": 0.5, "training_iteration": 1})  # as ASHA's does
search.on_trial_complete("failed", error=True)
search.on_trial_complete("finished", {"score": 1.0, "training_iteration": 2})
states = [trial.state.name for trial in search._ot_study.trials]
ends = ", ".join(map(" ".join, zip(("NaN", "stopped", "failed", "finished"), states)))
print(f"ray {ray.__version__}, optuna {optuna.__version__}: {ends}")
PYTHON
)
echo "$seen"
grep '^#   ray ' "findings/$(basename "$0")" | cut -c5- | diff - <(echo "$seen")

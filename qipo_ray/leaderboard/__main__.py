"""``python -m qipo_ray.leaderboard``: the same as ``python -m qipo_ray leaderboard``."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "leaderboard")
    runpy.run_module("qipo_ray", run_name="__main__")

"""``python -m qipo_ray.sweep``: the same as ``python -m qipo_ray sweep``."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "sweep")
    runpy.run_module("qipo_ray", run_name="__main__")

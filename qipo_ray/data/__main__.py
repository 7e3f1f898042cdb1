"""``python -m qipo_ray.data``: the same as ``python -m qipo_ray data``."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "data")
    runpy.run_module("qipo_ray", run_name="__main__")

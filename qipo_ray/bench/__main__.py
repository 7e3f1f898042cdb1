"""``python -m qipo_ray.bench``: the same as ``python -m qipo_ray bench``."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "bench")
    runpy.run_module("qipo_ray", run_name="__main__")

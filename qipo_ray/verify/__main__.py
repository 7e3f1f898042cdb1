"""``python -m qipo_ray.verify``: the same as ``python -m qipo_ray verify``."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "verify")
    runpy.run_module("qipo_ray", run_name="__main__")

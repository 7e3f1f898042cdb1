"""``python -m qipo_ray.train``: the same as ``python -m qipo_ray train``."""

import runpy
import sys

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    runpy.run_module("qipo_ray", run_name="__main__")

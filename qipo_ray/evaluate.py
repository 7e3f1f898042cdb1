"""``python -m qipo_ray.evaluate``, the twin of ``qipo-ray evaluate``."""

from __future__ import annotations

import sys

from qipo_ray.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))

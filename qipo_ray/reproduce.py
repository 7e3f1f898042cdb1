"""``python -m qipo_ray.reproduce``, the twin of ``qipo-ray reproduce``."""

from __future__ import annotations

import sys

from qipo_ray.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["reproduce", *sys.argv[1:]]))

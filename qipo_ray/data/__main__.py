"""``python -m qipo_ray.data``, the twin of ``qipo-ray data``."""

from __future__ import annotations

import sys

from qipo_ray.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["data", *sys.argv[1:]]))

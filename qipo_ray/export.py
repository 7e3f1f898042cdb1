"""``python -m qipo_ray.export``, the twin of ``qipo-ray export``."""

from __future__ import annotations

import sys

from qipo_ray.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["export", *sys.argv[1:]]))

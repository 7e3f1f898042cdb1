"""``python -m qipo_ray.sweep``: the same as ``qipo-ray sweep``."""

from __future__ import annotations

import sys

from qipo_ray.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["sweep", *sys.argv[1:]]))

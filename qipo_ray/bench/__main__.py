"""``python -m qipo_ray.bench``, the twin of ``qipo-ray bench``."""

from __future__ import annotations

import sys

from qipo_ray.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["bench", *sys.argv[1:]]))

"""``python -m qipo_ray.validation``, the twin of ``qipo-ray toy``."""

from __future__ import annotations

import sys

from qipo_ray.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["toy", *sys.argv[1:]]))

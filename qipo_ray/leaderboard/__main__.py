"""``python -m qipo_ray.leaderboard``, the twin of ``qipo-ray leaderboard``."""

from __future__ import annotations

import sys

from qipo_ray.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["leaderboard", *sys.argv[1:]]))

"""``python -m qipo_ray.train``: the same as ``qipo-ray train``."""

import sys

from qipo_ray.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))

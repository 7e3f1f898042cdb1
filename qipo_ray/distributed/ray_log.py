"""What Ray itself has to say goes to a file, not to the user's screen."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from qipo_ray.store.files import make_folder

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_ray_to(path: Path) -> None:
    """Let Ray's loggers and the messages of its cluster go to the end of ``path`` from here on.

    Threads of Ray speak even while the driver leaves, so the screen is never given back.
    """
    import ray._private.worker as driver

    logger = logging.getLogger("ray")

    def note(data: dict[str, Any], *_: Any, **__: Any) -> None:
        logger.warning("%s: %s", data.get("pid"), "\n".join(map(str, data["lines"])))

    make_folder(path.parent)
    before, handler = logger.handlers[:], logging.FileHandler(path)
    handler.setFormatter(logging.Formatter(FORMAT))
    logger.handlers[:] = [handler]
    for old in before:
        old.close()
    driver.print_to_stdstream = note  # Ray has no setting for the messages of its cluster

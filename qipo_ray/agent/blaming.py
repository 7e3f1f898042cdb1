"""What is said where the code of a user's method breaks."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from qipo_ray.agent.pack import Diverged
from qipo_ray.config import Config, method_of
from qipo_ray.config.own_methods import own_methods
from qipo_ray.errors import Failure, UserError


@contextmanager
def blaming(config: Config) -> Iterator[None]:
    """Turn what the code of a user's method raises into a ``Failure``: a line with its place."""
    try:
        yield
    except (UserError, Failure, Diverged):
        raise
    except Exception as error:
        named = config.policy.method
        if named not in own_methods:
            raise
        file = sys.modules[method_of(config).__module__].__file__
        frames = traceback.extract_tb(error.__traceback__)
        at = next((frame for frame in reversed(frames) if frame.filename == file), frames[-1])
        reason = " ".join(str(error).split())
        raise Failure(
            f"method {named}: {type(error).__name__} in {at.name}, {at.filename}:{at.lineno}: "
            f"{reason:.200}; `qipo-ray method check {named}` looks for more"
        ) from error

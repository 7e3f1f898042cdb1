"""A cache of configurations: each that records or intents hold is read and hashed once."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qipo_ray.config import Config, config_hash, departures, from_dict
from qipo_ray.errors import UserError


@dataclass(frozen=True)
class CachedConfig:
    """A configuration with its hash and its departures from the paper."""

    config: Config
    hash: str
    departures: list[str]


def read_config(settings: Mapping[str, Any]) -> CachedConfig | UserError:
    """Return the configuration of nested settings, or the error that says what is wrong."""
    return _read(json.dumps(settings, sort_keys=True))


@functools.lru_cache(maxsize=4096)  # thousands of runs share some hundreds
def _read(text: str) -> CachedConfig | UserError:
    try:
        config = from_dict(json.loads(text), "its configuration")
        return CachedConfig(config, config_hash(config), list(departures(config)))
    except UserError as problem:
        return problem

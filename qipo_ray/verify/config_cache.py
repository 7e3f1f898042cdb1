"""A cache of configurations: each that records or intents hold is read and hashed once."""

from __future__ import annotations

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


class ConfigCache:
    """Reads configurations; thousands of runs share some hundreds."""

    def __init__(self) -> None:
        self._cache: dict[str, CachedConfig | UserError] = {}

    def read(self, settings: Mapping[str, Any]) -> CachedConfig:
        """Return the configuration of nested settings; ``UserError`` says what is wrong."""
        text = json.dumps(settings, sort_keys=True)
        if text not in self._cache:
            self._cache[text] = _read(settings)
        cached = self._cache[text]
        if isinstance(cached, UserError):
            raise cached
        return cached


def _read(settings: Mapping[str, Any]) -> CachedConfig | UserError:
    try:
        config = from_dict(settings, "its configuration")
        return CachedConfig(config, config_hash(config), list(departures(config)))
    except UserError as problem:
        return problem

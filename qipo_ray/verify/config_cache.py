"""Configurations as documents hold them, each read and hashed once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qipo_ray.config import Config, config_hash, departures, from_dict
from qipo_ray.errors import UserError


@dataclass(frozen=True)
class Known:
    """A configuration, and what follows from it alone."""

    config: Config
    hash: str
    departures: list[str]


class Configs:
    """Reads configurations; thousands of runs share some hundreds."""

    def __init__(self) -> None:
        self._known: dict[str, Known | UserError] = {}

    def read(self, settings: Mapping[str, Any]) -> Known:
        """Return the configuration of nested settings; ``UserError`` says what is wrong."""
        text = json.dumps(settings, sort_keys=True)
        if text not in self._known:
            try:
                config = from_dict(settings, "its configuration")
                found = Known(config, config_hash(config), list(departures(config)))
                self._known[text] = found
            except UserError as problem:
                self._known[text] = problem
        known = self._known[text]
        if isinstance(known, UserError):
            raise known
        return known

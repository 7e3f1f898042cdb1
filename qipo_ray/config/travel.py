"""Configurations on their way to another process: a user's method goes along by its name.

The process imports it from the same folders, so on a cluster all machines must see them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qipo_ray.config.loading import from_dict, to_dict
from qipo_ray.config.own_methods import own_methods, use_method
from qipo_ray.config.schema import Config


def packed(config: Config) -> Any:
    """Return how pickle builds a configuration again."""
    if config.own or config.policy.method in own_methods:
        return _unpacked, (to_dict(config), own_methods)
    return config.__reduce_ex__(2)


def _unpacked(settings: dict[str, Any], methods: Mapping[str, tuple[str, ...]]) -> Config:
    for named, folders in methods.items():
        use_method(named, *folders)
    return from_dict(settings, "a job")

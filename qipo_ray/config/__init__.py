"""The settings of a run: frozen dataclasses, strict YAML, dotted overrides, a key per stage."""

from qipo_ray.config.explanation import ExplainedSetting, explain
from qipo_ray.config.keys import (
    STAGES,
    config_hash,
    departures,
    stage_keys,
    stage_updates,
)
from qipo_ray.config.loading import (
    from_dict,
    load_config,
    override,
    preset_names,
    to_dict,
    to_document,
)
from qipo_ray.config.notes import Plain
from qipo_ray.config.schema import (
    PATHS,
    Behaviour,
    Config,
    Critic,
    Policy,
    field_names,
    path_label,
)
from qipo_ray.config.section import FieldError
from qipo_ray.config.yaml_source import Document, parse_yaml, read_yaml

__all__ = [
    "PATHS",
    "STAGES",
    "Behaviour",
    "Config",
    "Critic",
    "Document",
    "FieldError",
    "Plain",
    "Policy",
    "ExplainedSetting",
    "config_hash",
    "departures",
    "explain",
    "field_names",
    "from_dict",
    "load_config",
    "override",
    "parse_yaml",
    "path_label",
    "preset_names",
    "read_yaml",
    "stage_keys",
    "stage_updates",
    "to_dict",
    "to_document",
]

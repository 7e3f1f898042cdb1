"""The settings of a run: frozen dataclasses, strict YAML, dotted overrides, a key per stage."""

import copyreg

from qipo_ray.config.critic_section import Critic
from qipo_ray.config.explanation import ExplainedSetting, explain
from qipo_ray.config.keys import config_hash, departures, stage_keys
from qipo_ray.config.loading import (
    from_dict,
    load_config,
    override,
    preset_names,
    to_dict,
    to_document,
)
from qipo_ray.config.method import STAGES, RunMethod, path_label
from qipo_ray.config.method_names import METHODS
from qipo_ray.config.notes import Plain
from qipo_ray.config.own_methods import use_method
from qipo_ray.config.run_methods import (
    method_of,
    method_title,
    reported_stages,
    stage_updates,
)
from qipo_ray.config.schema import PATHS, Config, field_names
from qipo_ray.config.section import FieldError
from qipo_ray.config.stage_sections import Behaviour, Policy
from qipo_ray.config.travel import packed
from qipo_ray.config.yaml_source import Document, parse_yaml, read_yaml

copyreg.pickle(Config, packed)

__all__ = [
    "METHODS",
    "PATHS",
    "STAGES",
    "Behaviour",
    "Config",
    "Critic",
    "Document",
    "FieldError",
    "RunMethod",
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
    "method_of",
    "method_title",
    "path_label",
    "preset_names",
    "read_yaml",
    "reported_stages",
    "stage_keys",
    "stage_updates",
    "to_dict",
    "to_document",
    "use_method",
]

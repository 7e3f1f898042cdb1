"""All that a method of one's own is made of, under one address (docs/extend.md)."""

from __future__ import annotations

from qipo_ray.agent.direct import DirectPack, direct_policy, gaussian_policy, one_step_policy
from qipo_ray.agent.pack import Member, Pack, State, stream
from qipo_ray.agent.program_method import ProgramMethod
from qipo_ray.agent.sampling import ActionSampler, cloned_weights
from qipo_ray.agent.tensors import Tensors
from qipo_ray.config import Config, RunMethod
from qipo_ray.config.baselines import DirectMethod
from qipo_ray.config.notes import ActingOnly, Ours, PerMember, Since
from qipo_ray.config.section import Count, Rate, Section, Weight, Width
from qipo_ray.config.values import Range
from qipo_ray.nets.mlp import DirectPolicy, Mlp, OneStepPolicy
from qipo_ray.nets.stack import Params

__all__ = [
    "ActingOnly",
    "ActionSampler",
    "Config",
    "Count",
    "DirectMethod",
    "DirectPack",
    "DirectPolicy",
    "Member",
    "Mlp",
    "OneStepPolicy",
    "Ours",
    "Pack",
    "Params",
    "PerMember",
    "ProgramMethod",
    "Range",
    "Rate",
    "RunMethod",
    "Section",
    "Since",
    "State",
    "Tensors",
    "Weight",
    "Width",
    "cloned_weights",
    "direct_policy",
    "gaussian_policy",
    "one_step_policy",
    "stream",
]

"""Stacked networks: N copies of one network are one (N, P) matrix, a member is a row."""

from __future__ import annotations

from qipo_ray.nets.optimiser import RowAdam
from qipo_ray.nets.policy_net import PolicyNet, policy_net
from qipo_ray.nets.stack import Stack, parameter_count
from qipo_ray.nets.twin_q import TwinQ

__all__ = ["PolicyNet", "RowAdam", "Stack", "TwinQ", "parameter_count", "policy_net"]

"""Whether a sweep can be believed: its files, books and tables, each held to the others."""

from qipo_ray.leaderboard.verify.verdict import Verdict, verify

__all__ = ["Verdict", "verify"]

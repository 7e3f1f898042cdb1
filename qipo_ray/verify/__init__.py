"""Whether a sweep can be believed: its files, books and tables, each held to the others."""

from qipo_ray.verify.verifier import VerifyReport, verify

__all__ = ["VerifyReport", "verify"]

"""Checks of a sweep: files, specification, records and tables must agree with each other."""

from qipo_ray.verify.verifier import VerifyReport, verify

__all__ = ["VerifyReport", "verify"]

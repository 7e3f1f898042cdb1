"""Durable files: atomic writes, artefacts by key, records; the truth of a sweep."""

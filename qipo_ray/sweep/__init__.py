"""Sweeps: the search-space file, the search and its stopping rule, trials, confirm and resume."""

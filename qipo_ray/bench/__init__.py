"""Benchmarks that the command line runs: what is trained, and the numbers to reach."""

"""Simulators, batched rollouts, generated data sets, normalised scores and their protocol."""

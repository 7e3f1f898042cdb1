"""Statistics of scores over tasks and seeds: NumPy, an explicit generator, nothing hidden."""

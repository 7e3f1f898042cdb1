"""Jobs and the engine that trains them; checkpoints, metrics, scores, and the local executor."""

"""Loggers of runs: TensorBoard, Weights & Biases, MLflow, each in a thread of its own."""

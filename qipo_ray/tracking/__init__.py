"""Where a run is shown: TensorBoard, Weights & Biases, MLflow, and the thread of each."""

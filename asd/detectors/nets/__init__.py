"""What detectors with a neural network share: training, checkpoints, threads."""

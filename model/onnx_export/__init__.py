"""From a fitted estimator to ONNX, and the proof that both give the same scores."""

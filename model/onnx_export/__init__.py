"""Export of a fitted estimator to ONNX, and the check that both give the same scores."""

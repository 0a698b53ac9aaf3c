"""The scorer: Flask and ONNX Runtime, nothing heavier."""

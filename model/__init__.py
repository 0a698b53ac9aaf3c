"""Recipes, training, export to ONNX, and proposals of models."""

"""Rows for a recipe's `load` that Tidegate has itself."""

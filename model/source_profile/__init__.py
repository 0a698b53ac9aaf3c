"""A fingerprint of the training data, and what changed between two of them."""

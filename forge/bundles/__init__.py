"""A bundle's files: digests, download, and the copy that a scorer reads."""

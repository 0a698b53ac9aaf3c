"""A bundle as files: its manifest, its digests, and its model, which export, gate and scorer run alike."""

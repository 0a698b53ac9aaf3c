"""Which bundles serve: read, verified, loaded, swapped."""

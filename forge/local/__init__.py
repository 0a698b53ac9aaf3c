"""A forge in a folder, for a laptop and for tests."""

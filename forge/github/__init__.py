"""A forge on GitHub, by its REST API."""

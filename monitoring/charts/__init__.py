"""Control charts and their limits."""

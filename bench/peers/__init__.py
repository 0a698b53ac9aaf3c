"""Other servers of the same model, measured in turn with the scorer."""

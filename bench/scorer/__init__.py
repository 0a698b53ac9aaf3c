"""What the scorer costs, and whether it loses rows: models, load and clients of the benchmark."""

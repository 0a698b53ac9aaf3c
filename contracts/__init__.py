"""What the packages agree on: rows, thresholds, live.toml, the journal's format."""

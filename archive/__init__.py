"""A journal's closed files: converted to Parquet, uploaded, deleted. Runs beside the scorer, never in it."""

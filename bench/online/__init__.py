"""Models with and without hourly corrections, on streams with all of their outcomes."""

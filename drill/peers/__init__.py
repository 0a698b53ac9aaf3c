"""The same faults before others: each script runs in its own environment, on frames in files."""

"""The peers' suites on the same faults: each script runs in its own environment, on frames in files."""

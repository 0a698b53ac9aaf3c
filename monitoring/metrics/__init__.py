"""Metrics of a day: drift, performance, label delay, volume, slices, errors and latency."""

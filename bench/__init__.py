"""Benchmarks: the scorer and its peers, a soak test, the gate, monitoring and experiments."""

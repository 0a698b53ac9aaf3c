"""Rules on the candidate as served: limits of latency and memory, and slots of live.toml."""

"""Prometheus metrics over all workers."""

"""Monitoring compared with other drift detectors: false alarm rates, and detection delays in days."""

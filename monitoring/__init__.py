"""Monitoring of the live model: data drift, performance, incidents, experiments, the dashboard."""

import os

# Set before NannyML is imported, which otherwise reports its use to its developers.
os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

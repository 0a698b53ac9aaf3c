"""Incidents: when one opens, what its issue says, what people type below it."""

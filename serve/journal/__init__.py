"""The journal: written, closed, converted, uploaded, deleted."""

"""The paired comparison of candidate, champion and anchor."""

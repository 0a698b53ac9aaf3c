"""Merge a newer version of Tidegate into a repository that was made from it."""

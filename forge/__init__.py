"""Releases, pull requests and issues: GitHub, or a folder that takes its place."""

"""Proposals of a bundle: the pull request with its card."""

"""Writes the tables of docs/reference from the code."""

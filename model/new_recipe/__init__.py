"""`python -m model init`: from a table to a recipe."""

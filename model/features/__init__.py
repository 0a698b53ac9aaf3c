"""Add, drop and prune features in a recipe's file."""

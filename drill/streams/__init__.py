"""Recipes of the drill's streams: two generated ones with known truth, and two real ones for which the data is at hand."""

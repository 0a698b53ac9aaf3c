"""Online corrections: a few numbers, updated every hour from outcomes, that correct the score of the live model."""

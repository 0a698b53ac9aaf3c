"""Rules on the rows of the training window and the holdout, and on changes of their source."""

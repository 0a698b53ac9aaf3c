"""The cost of monitoring and of an experiment at a million rows a day, by length of history."""

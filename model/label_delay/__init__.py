"""Label delay: which outcomes are known as of a time, how long they take, and training while they come in."""

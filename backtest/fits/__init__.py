"""The models of the replayed nights, fitted in the training environment."""

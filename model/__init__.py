"""What we predict, and how a model is made."""

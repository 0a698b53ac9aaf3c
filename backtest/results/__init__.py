"""What the policies realised: numbers from a table of losses by night and period."""

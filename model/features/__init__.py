"""Adding, dropping and pruning a feature in a recipe's file."""

"""The backtest: a recipe's past nights replayed under several policies, and what each would have earned."""

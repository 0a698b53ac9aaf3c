"""Models trained while outcomes are still coming in, beside all outcomes at once."""

"""Fault injection: faults in the user's data, recipe and bundle, one at a time, and whether the gate finds them."""

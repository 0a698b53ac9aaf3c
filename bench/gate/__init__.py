"""Simulations of the comparison of the gate, and its speed."""

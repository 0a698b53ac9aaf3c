"""The rules of the gate, a family each."""

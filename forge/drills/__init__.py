"""Drills of the way back, in a shadow of the real forge."""

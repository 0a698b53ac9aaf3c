"""The traffic split between champion and challenger, and the shadow."""

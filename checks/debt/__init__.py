"""The debt ledger: what can be removed, and by which command."""

"""What the scorer answered in the past, computed again; what was live when, and why; and the erasure of one key's rows."""

"""What a verdict depends on where outcomes come late."""

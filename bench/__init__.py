"""What the scorer costs, measured side by side with others; and what it withstands."""

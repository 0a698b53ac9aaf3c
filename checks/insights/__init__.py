"""What a report shows beside the rules."""

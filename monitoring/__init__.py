"""What happens after release."""

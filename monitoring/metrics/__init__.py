"""What is measured of a day."""

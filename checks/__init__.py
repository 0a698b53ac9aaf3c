"""Whether a bundle may go live."""

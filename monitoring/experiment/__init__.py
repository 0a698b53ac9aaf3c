"""Champion against challenger: an A/B test, or a shadow test, that can be evaluated and ended on any day."""

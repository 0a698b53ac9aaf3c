"""What landing a candidate is expected to earn, and what is known of it: from its comparison, and from the stream's past."""

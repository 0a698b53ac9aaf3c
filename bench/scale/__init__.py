"""A million rows a day: what the watch costs, and whether history costs anything."""

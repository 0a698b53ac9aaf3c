"""What becomes live: landing, rollback, quarantine, and live.toml held against the releases."""

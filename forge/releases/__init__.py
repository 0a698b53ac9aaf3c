"""What becomes live: landing, rollback, quarantine, and reconciliation of releases with live.toml."""

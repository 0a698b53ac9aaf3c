"""The dashboard: one page, in a folder, that needs no server and no network. Text from values."""

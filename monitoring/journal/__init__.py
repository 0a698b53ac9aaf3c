"""The journal, read: files, queries, closed days."""

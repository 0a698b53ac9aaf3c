"""Reading the journal: files, queries, closed days."""

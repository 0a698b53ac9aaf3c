"""The rules of the gate by topic; `registry` is the table of all."""

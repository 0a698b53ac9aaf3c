"""Clean nights over a year: how often each rule of the gate rejects or holds a candidate without any fault."""

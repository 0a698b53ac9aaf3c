"""The watch beside others: false alarms on quiet years, days until a change is noticed."""

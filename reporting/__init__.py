"""How text and charts for people are written."""

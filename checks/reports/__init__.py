"""The verdict, written for a reviewer."""

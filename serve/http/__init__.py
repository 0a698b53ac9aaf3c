"""The HTTP server: processes, requests, responses."""

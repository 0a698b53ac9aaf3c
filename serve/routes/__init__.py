"""The routes besides POST /score, and the formats that their clients send."""

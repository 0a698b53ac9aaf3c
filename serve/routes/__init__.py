"""Routes other than `POST /score`: other protocols, the OpenAPI description, the status page."""

"""The REST API under ``/api/v1``: a route parses, calls a capability and renders."""

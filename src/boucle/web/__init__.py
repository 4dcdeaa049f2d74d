"""The control plane over HTTP: REST API under ``/api/v1`` and the pages. A thin shell around the capabilities."""

"""The command line: thin commands over the client and, for the platform itself, over the wiring."""

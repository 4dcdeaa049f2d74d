"""In-memory adapters: each passes the contract tests of its port. Used by tests; nothing outlives the process."""

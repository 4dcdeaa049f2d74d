"""Where concrete adapters are wired: one module for each process, and the supervisor that starts them."""

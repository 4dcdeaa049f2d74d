"""The model: what the network sees, how it is trained, its interval, and the one graph that leaves the project."""

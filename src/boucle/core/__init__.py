"""The nouns that every part of the platform shares. Standard library and numpy only."""

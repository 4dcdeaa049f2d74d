"""What a notebook imports: it captures a model with its rows, code and requirements, uploads it, and asks it."""

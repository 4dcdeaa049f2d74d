"""What a deploy takes from the notebook: rows, the model's own answers, code, requirements and the model itself."""

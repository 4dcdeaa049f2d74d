"""Training: projects whose commands train and deploy models, run in environments of their own."""

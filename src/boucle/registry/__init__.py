"""Registered models, their versions and aliases: register, promote, roll back, each with its audit entry."""

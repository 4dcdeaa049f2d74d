"""Stands in for Kedro."""

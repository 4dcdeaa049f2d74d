"""Hourly forecasts of crypto pairs: candles in, the next close with its interval out."""

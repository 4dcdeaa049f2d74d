"""Exchanges: Binance by its public API, a replay of it from a file, and the candles that replay when offline."""

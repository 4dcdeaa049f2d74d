"""What may go wrong in this project, in one tree; every message says what happened and what to do.

ProjectError
├── InvalidParameter      a figure of parameters.yaml that cannot be kept
├── InvalidPeriod         a period or an interval that cannot be asked for
├── CandlesError          candles came, and cannot be used
│   ├── MalformedCandles      a column is missing, a value is no number
│   ├── TooFewCandles         not enough left to train or to forecast
│   └── StaleCandles          the newest candle is too old
└── ExchangeError         no candles came
    ├── ExchangeDown          connection refused or broken, or HTTP 5xx, five times
    ├── ExchangeSlow          no answer in time, five times
    ├── RateLimited           HTTP 429 or 418, and the wait asked for is too long
    ├── UnknownSymbol         the exchange knows no such pair
    ├── RefusedRequest        HTTP 4xx for another reason
    └── MalformedAnswer       an answer that is no list of candles
"""

from __future__ import annotations


class ProjectError(Exception):
    """Root of the errors that this project tells its user."""


class InvalidParameter(ProjectError, ValueError):
    """A figure of parameters.yaml that cannot be kept."""


class MissingStep(ProjectError):
    """A pipeline was run alone, and what it reads is not there."""


class CandlesError(ProjectError):
    """Candles that cannot be used."""


class MalformedCandles(CandlesError):
    """A column is missing, or a value is no number."""


class TooFewCandles(CandlesError):
    """Not enough candles left: ``found`` of ``needed``."""

    def __init__(self, message: str, *, found: int, needed: int) -> None:
        super().__init__(message)
        self.found = found
        self.needed = needed


class StaleCandles(CandlesError):
    """The newest candle is too old."""


class ExchangeError(ProjectError):
    """No candles came from the exchange."""


class ExchangeDown(ExchangeError):
    """The connection was refused or broken, or the exchange answered HTTP 5xx, at every try."""


class ExchangeSlow(ExchangeError):
    """No answer within the timeout, at every try."""


class RateLimited(ExchangeError):
    """The exchange asks to wait ``retry_after_s`` seconds, longer than the project waits."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnknownSymbol(ExchangeError):
    """The exchange knows no such pair."""


class RefusedRequest(ExchangeError):
    """The exchange refused the request for another reason than the symbol or the rate."""


class MalformedAnswer(ExchangeError):
    """An answer that is no list of candles."""


class InvalidPeriod(ProjectError):
    """A period or an interval that cannot be asked for."""

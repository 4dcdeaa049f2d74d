"""How much one prediction request may hold. Beyond it is refused before the work is done, never half done."""

from __future__ import annotations

from dataclasses import dataclass

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
MAX_INTEGER_DIGITS = 19


@dataclass(frozen=True)
class Limits:
    """``max_text_bytes`` is that of one cell in UTF-8; ``max_depth`` counts nested lists and objects of JSON."""

    max_body_bytes: int = 8 * 1024 * 1024
    max_rows: int = 50_000
    max_columns: int = 10_000
    max_depth: int = 64
    max_text_bytes: int = 64 * 1024

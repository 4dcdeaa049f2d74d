"""InferenceRecord: what the gateway writes down of each answer before it is sent, and of what callers tell later."""

from __future__ import annotations

from typing import Literal, NamedTuple

RecordKind = Literal["answer", "truth", "refusal", "gap"]


class InferenceRecord(NamedTuple):
    """One entry of the inference log.

    An *answer* keeps the raw bytes of a request that was answered and of its answer. *truth* is a body of ground
    truth (``request``), accepted under ``prediction_id``. A *refusal* is a request answered with ``status`` 400 or
    more, without its bytes. A *gap* says that ``n_lost`` answers before it could not be written.

    ``at`` is when it happened (the caller's own time when it told one), ``logged_at`` the gateway's clock, both UTC
    microseconds; ``media`` and ``answer_media`` are ``json`` or ``csv``; ``caller`` names who asked, "" when unknown.
    """

    kind: RecordKind
    model: str
    version: int
    prediction_id: str
    at: int
    logged_at: int
    latency_us: int = 0
    status: int = 200
    media: str = "json"
    answer_media: str = "json"
    caller: str = ""
    request: bytes = b""
    answer: bytes = b""
    n_lost: int = 0

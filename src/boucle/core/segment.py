"""The byte form of the inference log: records in frames, one after the other, as the gateway appends them.

::

    frame    magic  4 bytes   "\\xb0lg" and the version of this form, 1
             length u32       bytes of the payload
             check  u32       the length with all its bits turned: a length that was damaged is never believed
             crc    u32       CRC-32 of the payload
             payload
    payload  kind, media, answer media   u8 each
             bytes of the prediction id  u8, of the caller u16, of the model u16, of the request u32
             version i32, status u16, n_lost u32, latency_us, at and logged_at i64
             prediction id, caller, model (UTF-8), request, answer (the rest)

All numbers are little-endian. What is read is not trusted: a frame cut short at the end of the bytes is not there yet
(or never will be: it was never acknowledged); a damaged one is skipped up to the next frame that is whole.
"""

from __future__ import annotations

import re
from struct import Struct
from typing import NamedTuple, Optional
from zlib import crc32

from boucle.core.errors import InvalidRequest, shown
from boucle.core.i18n import _
from boucle.core.record import InferenceRecord, RecordKind

__all__ = ["HEAD_BYTES", "Packer", "Scan", "frame_size", "is_stream", "pack", "records", "require_stream", "scan"]
MAGIC = b"\xb0lg\x01"
KINDS: tuple[RecordKind, ...] = ("answer", "truth", "refusal", "gap")
MEDIA = ("json", "csv")
_HEAD = Struct("<4sIII")
_FIXED = Struct("<BBBBHHIiHIqqq")
HEAD_BYTES = _HEAD.size
_FIXED_BYTES = _FIXED.size
_ALL_BITS = 0xFFFFFFFF
_SMALL_BYTES = 8 * 1024
_MAX_PAYLOAD = 0x7FFFFFFF
_STREAM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")


class Scan(NamedTuple):
    """What was read: the records, the position after the last whole one, and bytes of damage that were skipped."""

    records: list[InferenceRecord]
    position: int
    skipped_bytes: int


class Packer:
    """Packs the answers of one version: what never changes about them is made once.

    >>> buffers = Packer("churn", 3).answer("id", (1, 2, 40), (b"[{}]", "json"), (b"{}", "json"), "")
    >>> records(b"".join(buffers), 0)[0][0].model
    'churn'
    """

    def __init__(self, model: str, version: int) -> None:
        self._model = model.encode("utf-8")
        self._n_model = len(self._model)
        self._version = version

    def answer(
        self,
        prediction_id: str,
        times: tuple[int, int, int],
        asked: tuple[bytes, str],
        answered: tuple[bytes, str],
        caller: str,
    ) -> list[bytes]:
        """Return the buffers of one answer; ``times`` are at, logged_at and latency, all in microseconds.

        Raises ValueError or struct.error for what cannot be packed (a text or a number beyond its field).
        """
        request, media = asked
        answer, answer_media = answered
        at, logged_at, latency_us = times
        fixed = _FIXED.pack(
            0,
            media != "json",
            answer_media != "json",
            len(prediction_id),
            len(caller),
            self._n_model,
            len(request),
            self._version,
            200,
            0,
            latency_us,
            at,
            logged_at,
        )
        names = (prediction_id + caller).encode("ascii") + self._model
        length = _FIXED_BYTES + len(names) + len(request) + len(answer)
        if length < _SMALL_BYTES:  # one copy costs less than three buffers
            payload = b"".join((fixed, names, request, answer))
            return [_HEAD.pack(MAGIC, length, length ^ _ALL_BITS, crc32(payload)) + payload]
        fixed += names
        crc = crc32(answer, crc32(request, crc32(fixed)))
        return [_HEAD.pack(MAGIC, length, length ^ _ALL_BITS, crc) + fixed, request, answer]


def is_stream(name: str) -> bool:
    """Tell whether a name is the id of a stream of records, as each life of a gateway makes one.

    >>> is_stream("01900000-0000-7000-8000-000000000000"), is_stream("lost+found")
    (True, False)
    """
    return _STREAM.match(name) is not None


def require_stream(name: str) -> None:
    """Raise InvalidRequest for a name that is no stream's."""
    if not is_stream(name):
        raise InvalidRequest("invalid-stream", _("{stream} is no id of a stream.").format(stream=shown(name)))


def pack(record: InferenceRecord) -> list[bytes]:
    """Return the buffers of the frame of a record. Raises ValueError or struct.error for what cannot be packed.

    >>> truth = InferenceRecord("truth", "churn", 0, "id", at=1, logged_at=2, request=b"[]")
    >>> records(b"".join(pack(truth)), 0) == ([truth], 71)
    True
    """
    names = record.prediction_id.encode("utf-8"), record.caller.encode("utf-8"), record.model.encode("utf-8")
    fixed = _FIXED.pack(
        KINDS.index(record.kind),
        MEDIA.index(record.media),
        MEDIA.index(record.answer_media),
        len(names[0]),
        len(names[1]),
        len(names[2]),
        len(record.request),
        record.version,
        record.status,
        min(record.n_lost, _ALL_BITS),
        record.latency_us,
        record.at,
        record.logged_at,
    ) + b"".join(names)
    length = len(fixed) + len(record.request) + len(record.answer)
    crc = crc32(record.answer, crc32(record.request, crc32(fixed)))
    return [_HEAD.pack(MAGIC, length, length ^ _ALL_BITS, crc) + fixed, record.request, record.answer]


def records(data: bytes, position: int) -> tuple[list[InferenceRecord], int]:
    """Return the whole records from a position on, and the position after the last of them (as ``scan`` does)."""
    found = scan(data, position)
    return found.records, found.position


def scan(data: bytes, position: int, is_end: bool = False) -> Scan:
    """Return the whole records from a position on; damaged bytes are skipped up to the next whole frame and counted.

    A frame cut short is waited for, unless ``is_end`` says that nothing will follow these bytes: then it is damage.
    The new position is never before the old one, and no whole frame follows it.

    >>> torn = b"".join(pack(InferenceRecord("gap", "churn", 1, "", at=1, logged_at=2, n_lost=3)))[:-1]
    >>> scan(torn, 0), scan(torn, 0, is_end=True)
    (Scan(records=[], position=0, skipped_bytes=0), Scan(records=[], position=66, skipped_bytes=66))
    """
    found: list[InferenceRecord] = []
    skipped, n_bytes = 0, len(data)
    while position < n_bytes:
        size = frame_size(data, position)
        is_cut = size is not None and (size == 0 or position + size > n_bytes)
        if is_cut and not is_end:
            break
        record = None if is_cut or size is None else _read(data, position, position + size)
        if record is None or size is None:
            following = _next_frame(data, position + 1, is_end)
            skipped += following - position
            position = following
        else:
            found.append(record)
            position += size
    return Scan(found, position, skipped)


def frame_size(data: bytes, position: int) -> Optional[int]:
    """Return the bytes of the frame at a position, 0 when its head is not whole yet, None when none begins there."""
    head = data[position : position + HEAD_BYTES]
    if len(head) < HEAD_BYTES:
        return 0 if head[: len(MAGIC)] == MAGIC[: len(head)] else None
    magic, length, check, _crc = _HEAD.unpack(head)
    if magic != MAGIC or length ^ _ALL_BITS != check or not _FIXED_BYTES <= length <= _MAX_PAYLOAD:
        return None
    return HEAD_BYTES + int(length)


def _next_frame(data: bytes, position: int, is_end: bool) -> int:
    """Return where the next magic begins; else the end, or where its first bytes may stand just before the end."""
    found = data.find(MAGIC, position)
    if found >= 0:
        return found
    end = len(data)
    tails = range(max(position, end - len(MAGIC) + 1), end)
    return end if is_end else next((start for start in tails if MAGIC.startswith(data[start:end])), end)


def _read(data: bytes, start: int, stop: int) -> Optional[InferenceRecord]:
    """Return the record of a frame that is there as a whole; None when its bytes are damaged."""
    crc = _HEAD.unpack_from(data, start)[3]
    payload = data[start + HEAD_BYTES : stop]
    if crc32(payload) != crc:
        return None
    fixed = _FIXED.unpack_from(payload)
    kind, media, answer_media, n_id, n_caller, n_model, n_request = fixed[:7]
    version, status, n_lost, latency_us, at, logged_at = fixed[7:]
    caller_at = _FIXED_BYTES + n_id
    model_at = caller_at + n_caller
    request_at = model_at + n_model
    answer_at = request_at + n_request
    if answer_at > len(payload) or kind >= len(KINDS) or max(media, answer_media) >= len(MEDIA):
        return None
    try:
        prediction_id = payload[_FIXED_BYTES:caller_at].decode("utf-8")
        caller = payload[caller_at:model_at].decode("utf-8")
        model = payload[model_at:request_at].decode("utf-8")
    except UnicodeDecodeError:
        return None
    return InferenceRecord(
        kind=KINDS[kind],
        model=model,
        version=version,
        prediction_id=prediction_id,
        at=at,
        logged_at=logged_at,
        latency_us=latency_us,
        status=status,
        media=MEDIA[media],
        answer_media=MEDIA[answer_media],
        caller=caller,
        request=payload[request_at:answer_at],
        answer=payload[answer_at:],
        n_lost=n_lost,
    )

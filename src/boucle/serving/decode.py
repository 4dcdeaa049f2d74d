"""The body of a request into raw rows. JSON and CSV only: no other reader is ever chosen by a caller's header."""

from __future__ import annotations

import zlib
from functools import lru_cache

from boucle.core.errors import InvalidRequest, TooLarge
from boucle.core.i18n import _
from boucle.core.schema import Schema
from boucle.serving.csv_rows import decode_csv
from boucle.serving.formats import decode_json
from boucle.serving.limits import Limits
from boucle.serving.raw import Names, RawRows

JSON, CSV = "application/json", "text/csv"
_GZIP_WINDOW = 31


@lru_cache(maxsize=256)
def media_type(content_type: str) -> str:
    """Return ``application/json``, ``text/csv``, or "" when the header is missing or empty.

    Raises InvalidRequest (``unsupported-media-type``) for any other type and for a charset other than UTF-8.
    """
    name, *parameters = [part.strip().lower() for part in content_type.split(";")]
    charsets = [value.strip('"') for key, _equals, value in (p.partition("=") for p in parameters) if key == "charset"]
    if name in (JSON, CSV, "") and set(charsets) <= {"utf-8", "utf8", "us-ascii"}:
        return name
    raise InvalidRequest(
        "unsupported-media-type",
        _("Content-Type {found} is not read. Send application/json or text/csv, in UTF-8.").format(
            found=repr(content_type[:80])
        ),
    )


def decode(body: bytes, media: str, schema: Schema, names: Names) -> RawRows:
    """Return the raw rows of a body of that media type; "" means JSON when it starts like JSON.

    Raises InvalidRequest, InvalidRows or TooLarge, never anything else.
    """
    if not body:
        raise InvalidRequest("empty-body", _("The request has no body. Send rows as JSON or CSV."))
    if media == CSV:
        return decode_csv(body, schema, names, names.limits)
    if media == "" and body[:200].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] not in (b"[", b"{"):
        raise InvalidRequest(
            "unsupported-media-type",
            _("The request has no Content-Type and does not look like JSON. Send application/json or text/csv."),
        )
    return decode_json(body, names, names.limits)


def unzipped(body: bytes, limits: Limits) -> bytes:
    """Return the content of a gzip body, never making more of it than the limit allows.

    Raises InvalidRequest (``malformed-gzip``) or TooLarge.
    """
    reader = zlib.decompressobj(_GZIP_WINDOW)
    try:
        content = reader.decompress(body, limits.max_body_bytes + 1)
    except zlib.error:
        raise InvalidRequest("malformed-gzip", _("The body is not gzip, though Content-Encoding says so.")) from None
    if len(content) > limits.max_body_bytes:
        raise TooLarge(_("bytes of the unpacked body"), len(content), limits.max_body_bytes)
    if not reader.eof or reader.unused_data:
        raise InvalidRequest("malformed-gzip", _("The gzip body is cut short or followed by other bytes."))
    return content

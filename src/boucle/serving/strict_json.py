"""JSON read strictly: what orjson lets pass is refused here, at the price of counting a few bytes.

orjson refuses NaN, invalid UTF-8, lone surrogates and nesting beyond 1,024. It keeps the last of duplicate keys,
turns integers beyond 64 bits into floats, and builds whatever fits the body. So:

* **duplicate keys**: a document holds as many keys as there are colons outside its texts, unless some are
  duplicates. When all colons of the body are accounted for (keys, and those seen in times of day), none is;
  only else are the texts cut out and the rest counted;
* **depth** and **amplification**: likewise with opening brackets, which flat rows have one of each;
* **long integers**: 20 digits in a row are looked for, and only then at what they are.

Each shortcut is exact: texts can only add to a count, so a count that fits proves the strict one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from boucle.core.errors import InvalidRequest, TooLarge
from boucle.core.i18n import _
from boucle.serving.limits import MAX_INTEGER_DIGITS, Limits

_BOM = b"\xef\xbb\xbf"
_DIGITS = bytes(48 if 48 <= byte <= 57 else 0 for byte in range(256))
_LONG_RUN = b"0" * (MAX_INTEGER_DIGITS + 1)
_LONG_INTEGER = re.compile(rb"(?<![0-9.])[0-9]{%d,}(?![0-9.eE])" % (MAX_INTEGER_DIGITS + 1))
_WRAPPERS = 4  # levels above the rows in the deepest format we read


def parse(body: bytes, limits: Limits) -> Any:
    """Return the document of a JSON body.

    Raises InvalidRequest (``malformed-json``, ``duplicate-key``, ``too-deep``, ``integer-too-long``) or TooLarge.

    >>> parse(b'[{"age": 41}]', Limits())
    [{'age': 41}]
    """
    body = body.removeprefix(_BOM)
    openers = body.count(b"{") + body.count(b"[")
    if openers > limits.max_rows + limits.max_columns:
        _refuse_many_containers(body, limits)
    if len(body) > MAX_INTEGER_DIGITS and _LONG_RUN in body.translate(_DIGITS):
        _refuse_long_integers(body)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _malformed(body, error) from None
    containers, keys = _shape(document, _WRAPPERS)
    if containers != openers:
        _refuse_depth(body, limits)
        keys = sum(map(len, _objects(document)))
    more = body.count(b":") - keys
    if more and (b"\\" in body or more != _colons_in_texts(document, _WRAPPERS)):
        _refuse_duplicates(body, keys)
    return document


def _shape(value: Any, levels: int) -> tuple[int, int]:
    """Return (containers, keys) of a document of flat rows; of any other, fewer than there are."""
    if type(value) is list:
        kinds = set(map(type, value))
        if kinds == {dict}:
            return 1 + len(value), sum(map(len, value))
        return 1 + len(value) if kinds == {list} else 1, 0
    if type(value) is not dict or levels == 0:
        return 0, 0
    below = [_shape(child, levels - 1) for child in value.values() if type(child) in (list, dict)]
    return 1 + sum(c for c, _keys in below), len(value) + sum(keys for _containers, keys in below)


def _outside_texts(body: bytes) -> bytes:
    r"""Return a valid JSON text less its strings.

    >>> _outside_texts(b'{"a\\"b": [1, "x]:"]}')
    b'{: [1, ]}'
    """
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(body.split(b'"')[::2])


def _colons_in_texts(value: Any, levels: int) -> int:
    """Return the colons in the columns of a document whose first cell holds one, such as dates with a time."""
    if type(value) is dict and levels:
        return sum(_colons_in_texts(child, levels - 1) for child in value.values())
    if type(value) is not list or not value:
        return 0
    first = value[0]
    if type(first) is str:
        return sum(cell.count(":") for cell in value if type(cell) is str)
    if type(first) is not dict and type(first) is not list:
        return 0
    places = first.items() if type(first) is dict else enumerate(first)
    found = 0
    for place in [place for place, cell in places if type(cell) is str and ":" in cell]:
        try:
            found += sum(cell.count(":") for row in value if type(cell := row[place]) is str)
        except (LookupError, TypeError):
            return -1
    return found


def _refuse_depth(body: bytes, limits: Limits) -> None:
    depth = _depth(_outside_texts(body))
    if depth > limits.max_depth:
        raise InvalidRequest(
            "too-deep",
            _("The body nests {depth} levels; at most {limit} are read. Send rows of plain values.").format(
                depth=depth, limit=limits.max_depth
            ),
        )


def _refuse_duplicates(body: bytes, keys: int) -> None:
    if _outside_texts(body).count(b":") != keys:
        raise InvalidRequest(
            "duplicate-key",
            _("An object of the body has the same key twice; which value is meant? Send each key once."),
        )


def _depth(outside: bytes) -> int:
    level = deepest = 0
    for bracket in re.findall(rb"[][{}]", outside):
        level += 1 if bracket in b"[{" else -1
        deepest = max(deepest, level)
    return deepest


def _objects(document: Any) -> Iterator[dict[str, Any]]:
    stack = [document]
    while stack:
        value = stack.pop()
        if type(value) is dict:
            yield value
            stack.extend(value.values())
        elif type(value) is list:
            stack.extend(value)


def _refuse_many_containers(body: bytes, limits: Limits) -> None:
    outside = _outside_texts(body)
    found, limit = outside.count(b"{") + outside.count(b"["), limits.max_rows + limits.max_columns
    if found > limit:
        raise TooLarge(_("rows and nested values"), found, limit)


def _refuse_long_integers(body: bytes) -> None:
    found = _LONG_INTEGER.search(_outside_texts(body))
    if found:
        raise InvalidRequest(
            "integer-too-long",
            _("An integer of {digits} digits: at most {limit} are read. Send large numbers as 1.5e20.").format(
                digits=len(found.group()), limit=MAX_INTEGER_DIGITS
            ),
        )


def _malformed(body: bytes, error: orjson.JSONDecodeError) -> InvalidRequest:
    text = body.decode("utf-8", errors="replace")
    if text[error.pos : error.pos + 9].lstrip("-").startswith(("NaN", "Infinity")):
        return InvalidRequest("malformed-json", _("NaN and Infinity are not JSON. Send null for a missing value."))
    if "depth limit" in error.msg:
        return InvalidRequest("too-deep", _("The body nests too deep. Send rows of plain values."))
    return InvalidRequest("malformed-json", _("The body is not JSON: {cause}.").format(cause=str(error)[:200]))

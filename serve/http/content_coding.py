"""Request bodies that are compressed (`Content-Encoding`, RFC 9110 §8.4): gzip and deflate.

`deflate` is the zlib format (RFC 1950); bare DEFLATE data (RFC 1951), which some clients send under
that name, is read as well.
"""

from __future__ import annotations

import zlib

from serve.scoring.validation import RequestError

#: What a client may use, as the header `Accept-Encoding` of a 415 says it (RFC 7694).
CODINGS = "gzip, deflate"
#: Parts of a gzip stream, each with a header (RFC 1952 §2.2); one is usual.
MAX_MEMBERS = 1_000
#: Bytes that are unpacked at a time: at each new member the rest of them is copied.
STEP = 64 * 2**10
#: zlib's *wbits*: the format of the stream.
_GZIP, _ZLIB, _BARE = 31, 15, -15


class CodingError(RequestError):
    """A body is in a coding that is not read (415)."""


def unpack(body: bytes, codings: str, most: int) -> bytes:
    """*body* without its *codings*, the value of `Content-Encoding`; at most *most* bytes.

    Raises `CodingError` (415) for other codings and for several, and `RequestError` for data that is
    damaged or cut off (400), and as soon as there are more than *most* bytes (413).
    """
    named = [each.strip().lower() for each in codings.split(",")]
    named = [each for each in named if each not in ("", "identity")]
    if not named:
        return body
    name = named[0].removeprefix("x-")
    if len(named) > 1 or name not in ("gzip", "deflate"):
        said = ", ".join(named)[:60]
        words = f"the body's Content-Encoding is {said}; send one of {CODINGS}, or none"
        raise CodingError(415, words)
    try:
        return _inflate(body, _GZIP if name == "gzip" else _deflate(body), most)
    except zlib.error as error:
        raise RequestError(400, f"the body is not {name}, as its Content-Encoding says") from error


def _deflate(body: bytes) -> int:
    """The argument *wbits* of zlib: with a header (RFC 1950 §2.2), or bare."""
    has_header = body[:1] and body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    return _ZLIB if has_header else _BARE


def _inflate(body: bytes, bits: int, most: int) -> bytes:
    found, place = bytearray(), 0
    for _ in range(MAX_MEMBERS if bits == _GZIP else 1):
        stream = zlib.decompressobj(bits)
        while not stream.eof:
            step = body[place : place + STEP]
            if not step:
                raise RequestError(400, "the compressed body is cut off")
            place += len(step)
            found += stream.decompress(step, most + 1 - len(found))
            if len(found) > most:
                raise RequestError(413, f"the body is larger than {most:,} bytes when unpacked")
        place -= len(stream.unused_data)
        if place == len(body):
            return bytes(found)
    raise RequestError(400, "the compressed body goes on after its end")

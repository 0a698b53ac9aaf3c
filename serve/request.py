"""A request as it came over a connection."""

from __future__ import annotations

from serve.scoring import RequestError

NOT_HTTP = "the request is not HTTP as we know it"


class Request:
    """What was asked; `headers` by names in lower case, those of one name with a comma between."""

    __slots__ = ("content", "headers", "held", "keep", "method", "size", "target", "version")

    def __init__(self) -> None:
        self.method, self.target, self.version = b"", b"", "1.1"
        self.headers: dict[bytes, bytes] = {}
        #: What came of the body; in one piece as it came, for that is what nearly all come in.
        self.content: bytes | bytearray = b""
        #: Bytes of the body: told, or come so far; those that count as held in memory.
        self.size, self.held, self.keep = 0, 0, False

    @property
    def body(self) -> bytes:
        """What came of the body."""
        return bytes(self.content)

    def take(self, part: bytes) -> None:
        """Some of the body; however small the parts are, no more is kept of them than they say."""
        if not self.content:
            self.content = part
            return
        if isinstance(self.content, bytes):
            self.content = bytearray(self.content)
        self.content += part

    def problem(self) -> RequestError | None:
        """What is wrong with the head."""
        headers = self.headers
        host = headers.get(b"host")
        if (host is None and self.version == "1.1") or (host and b"," in host):
            return RequestError(400, f"{NOT_HTTP}: it has one header Host")
        if self.version not in ("1.0", "1.1"):
            return RequestError(505, "the only versions that are spoken are HTTP/1.1 and HTTP/1.0")
        if self.version == "1.0" and b"transfer-encoding" in headers:
            return RequestError(400, f"{NOT_HTTP}: HTTP/1.0 has no transfer encodings")
        if headers.get(b"expect", b"100-continue").lower() != b"100-continue":
            return RequestError(417, "the only expectation that is met is 100-continue")
        if headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
            return RequestError(501, "the only transfer encoding that is read is chunked")
        return None

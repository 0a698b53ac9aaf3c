"""Authentication by bearer tokens, and cross-origin requests (CORS).

There are two kinds of tokens: for clients that send rows and outcomes, and for monitoring (the status page and
the metrics). A path requires a token if a file of that kind is configured.

A browser cannot send a bearer token when a person opens a page. For the pages of monitoring, a token is
therefore also accepted as the password of HTTP Basic authentication (RFC 7617), with any user name.

A file holds several tokens, so that a new one can be handed out before the old one is removed. It is read
again when it changes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Callable
from pathlib import Path

from serve.log import log
from serve.scoring.validation import RequestError

#: A shorter token can be guessed.
MIN_TOKEN_LENGTH = 16
#: Seconds between two looks at whether a file of tokens has changed.
RELOAD_INTERVAL = 1.0
CLIENT_PATHS = ("/score", "/outcome", "/invocations", "/v2")
MONITORING_PATHS = ("/metrics", "/")
#: An orchestrator's probes send no token; the answer says only whether the scorer is ready.
OPEN_PATHS = ("/v2/health/live", "/v2/health/ready")
METHODS = "GET, POST"
#: Headers that a web page may send: those of a request, and those that tracing libraries add (W3C Trace Context
#: and Baggage; Sentry).
HEADERS = ("Authorization", "Content-Type", "traceparent", "tracestate", "baggage", "sentry-trace")


class TokenFileError(ValueError):
    """A token file is empty, or holds a token that is too short. The message does not show the token."""


class Tokens:
    """The tokens in the file *path*, one on each line; empty lines and lines that begin with # are ignored."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._lock, self._clock = path, threading.Lock(), clock
        self._digests, self._loaded, self._checked = read_tokens(path), self._stat(), clock()

    def contain(self, token: str) -> bool:
        """Whether *token* is one of them. The time this takes does not depend on how much of it is right."""
        if self._clock() - self._checked > RELOAD_INTERVAL:
            self._reload()
        digest, found = _digest(token), False
        for each in self._digests:
            found |= hmac.compare_digest(each, digest)
        return found

    def _reload(self) -> None:
        with self._lock:
            self._checked = self._clock()
            current = self._stat()
            if current == self._loaded:
                return
            try:
                self._digests, self._loaded = read_tokens(self._path), current
            except (OSError, ValueError) as error:
                # The file is being written, or was emptied by mistake: the tokens read before stay valid.
                log(f"the token file could not be read again, its earlier tokens stay valid: {type(error).__name__}")

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


class Access:
    """Decides whether a request is allowed, and which headers a web page of another origin needs."""

    def __init__(
        self,
        tokens: Path | None = None,
        watch_tokens: Path | None = None,
        origins: tuple[str, ...] = (),
        headers: tuple[str, ...] = (),
    ) -> None:
        self._clients = Tokens(tokens) if tokens else None
        self._monitoring = Tokens(watch_tokens) if watch_tokens else None
        self._origins = frozenset(origins)
        self._headers = ", ".join((*HEADERS, *headers))

    def admit(self, path: str, authorization: str) -> None:
        """Raise `RequestError` 401 unless *authorization* is the header that a request for *path* requires."""
        if not _is_valid(self._required(path), authorization, as_password=path in MONITORING_PATHS):
            what = "is not one that is known" if authorization else "is missing"
            raise RequestError(401, f"the token {what}; send the header Authorization: Bearer …")

    def challenge(self, path: str, prefix: str = "") -> str:
        """The `WWW-Authenticate` header of a 401 answer for *path*; a browser then asks for a password.

        A browser keeps one password for each realm of a host. Scorers that a proxy publishes on one host under
        different paths therefore need different realms: *prefix* is the path of this one.
        """
        realm = f"Tidegate {prefix}".rstrip()
        return f'Basic realm="{realm}", charset="UTF-8"' if path in MONITORING_PATHS else "Bearer"

    def needs_token(self, path: str) -> bool:
        """Whether a request for *path* requires a token."""
        return self._required(path) is not None

    def may_monitor(self, authorization: str) -> bool:
        """Whether the client may see details: paths of files, and why something was refused or lost."""
        return _is_valid(self._monitoring, authorization, as_password=True)

    def headers(self, origin: str) -> list[tuple[str, str]]:
        """The CORS headers that let a page of *origin* read the answer, if it is an allowed origin."""
        if not self._origins:
            return []
        headers = [("Vary", "Origin")]
        if origin in self._origins:
            headers += [("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", "traceparent")]
        return headers

    def preflight(self, origin: str) -> list[tuple[str, str]]:
        """The headers of the answer to a preflight request (Fetch standard) of a page of *origin*."""
        headers = self.headers(origin)
        if len(headers) > 1:
            headers += [
                ("Access-Control-Allow-Methods", METHODS),
                ("Access-Control-Allow-Headers", self._headers),
                ("Access-Control-Max-Age", "600"),
            ]
        return headers

    def _required(self, path: str) -> Tokens | None:
        if path in OPEN_PATHS:
            return None
        if any(path == one or path.startswith(one + "/") for one in CLIENT_PATHS):
            return self._clients
        return self._monitoring if path in MONITORING_PATHS else None


def read_tokens(path: Path) -> tuple[bytes, ...]:
    """The digests of the tokens in *path*. Raises `TokenFileError`."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    tokens = [line for line in lines if line and not line.startswith("#")]
    if not tokens:
        raise TokenFileError("a file with at least one token, one a line")
    short = sum(len(token) < MIN_TOKEN_LENGTH for token in tokens)
    if short:
        raise TokenFileError(f"tokens of at least {MIN_TOKEN_LENGTH} characters; {short} of {len(tokens)} are shorter")
    return tuple(_digest(token) for token in tokens)


def _is_valid(tokens: Tokens | None, authorization: str, *, as_password: bool) -> bool:
    return tokens is None or tokens.contain(_token_in(authorization, as_password=as_password))


def _token_in(authorization: str, *, as_password: bool) -> str:
    """The token in an `Authorization` header; "" without one."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic" and as_password:
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
        except ValueError:
            return ""
    return ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()

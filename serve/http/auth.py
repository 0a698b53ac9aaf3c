"""Who may ask for what: tokens for rows and outcomes, others for looking on, and web origins.

A browser knows no tokens, only names and passwords (RFC 7617): where people look, a token is taken
as the password as well, whatever the name.

A file holds several tokens, so that a new one can be handed out before the old one is struck off;
it is read again when it changes. A path needs a token if its kind has a file.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from pathlib import Path

from serve.log import log
from serve.scoring.validation import RequestError

#: A shorter token can be guessed.
SHORTEST = 16
LOOK_EVERY = 1.0
ASKING = ("/score", "/outcome", "/invocations", "/v2")
WATCHING = ("/metrics", "/")
#: Probes have no token, and are answered only whether to wait.
OPEN = ("/v2/health/live", "/v2/health/ready")
METHODS = "GET, POST"
#: Headers that a web page may send: what a row needs, and what tracing adds by itself (W3C Trace
#: Context and Baggage; Sentry).
HEADERS = ("Authorization", "Content-Type", "traceparent", "tracestate", "baggage", "sentry-trace")


class TokenFileError(ValueError):
    """A file of tokens holds none, or one that can be guessed. The message does not show it."""


class Tokens:
    """The tokens in *path*, one a line; empty lines and those that begin with # are left out."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._digests, self._seen, self._looked = read_tokens(path), self._stat(), time.monotonic()

    def hold(self, token: str) -> bool:
        """Whether *token* is one of them, in a time that does not depend on how much of it is right."""
        if time.monotonic() - self._looked > LOOK_EVERY:
            self._refresh()
        digest, found = _digest(token), False
        for each in self._digests:
            found |= hmac.compare_digest(each, digest)
        return found

    def _refresh(self) -> None:
        with self._lock:
            self._looked = time.monotonic()
            seen = self._stat()
            if seen == self._seen:
                return
            try:
                self._digests, self._seen = read_tokens(self._path), seen
            except (OSError, ValueError) as error:
                # In the middle of being written, or emptied by mistake: the old ones go on.
                log(f"tokens are not read again: {type(error).__name__}")

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


class Access:
    """Says who may; `admit` raises `RequestError`."""

    def __init__(
        self,
        tokens: Path | None = None,
        watch_tokens: Path | None = None,
        origins: tuple[str, ...] = (),
        headers: tuple[str, ...] = (),
    ) -> None:
        self._asking = Tokens(tokens) if tokens else None
        self._watching = Tokens(watch_tokens) if watch_tokens else None
        self._origins = frozenset(origins)
        self._headers = ", ".join((*HEADERS, *headers))

    def admit(self, path: str, authorization: str) -> None:
        """Let a request for *path* pass, or raise `RequestError` 401."""
        if (self._asking or self._watching) and not _held(
            self._needed(path), authorization, as_password=path in WATCHING
        ):
            what = "is not one that is known" if authorization else "is missing"
            raise RequestError(401, f"the token {what}; send the header Authorization: Bearer …")

    def challenge(self, path: str, prefix: str = "") -> str:
        """The `WWW-Authenticate` header for a client without a token for *path*; a browser asks for a password.

        A browser has one password for each realm of a host, so scorers that a proxy shows there under
        different paths have different realms: *prefix* is this one's path.
        """
        realm = f"Tidegate {prefix}".rstrip()
        return f'Basic realm="{realm}", charset="UTF-8"' if path in WATCHING else "Bearer"

    def needs_token(self, path: str) -> bool:
        """Whether *path* is closed to who has no token."""
        return self._needed(path) is not None

    def watches(self, authorization: str) -> bool:
        """Whether who asks may look on: see paths, and why something was refused or lost."""
        return _held(self._watching, authorization, as_password=True)

    def headers(self, origin: str) -> list[tuple[str, str]]:
        """What lets a page of *origin* read the answer, if it may."""
        if not self._origins:
            return []
        headers = [("Vary", "Origin")]
        if origin in self._origins:
            headers += [("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", "traceparent")]
        return headers

    def preflight(self, origin: str) -> list[tuple[str, str]]:
        """The answer to a page that asks whether it may ask."""
        headers = self.headers(origin)
        if len(headers) > 1:
            headers += [
                ("Access-Control-Allow-Methods", METHODS),
                ("Access-Control-Allow-Headers", self._headers),
                ("Access-Control-Max-Age", "600"),
            ]
        return headers

    def _needed(self, path: str) -> Tokens | None:
        if path in OPEN:
            return None
        if any(path == one or path.startswith(one + "/") for one in ASKING):
            return self._asking
        return self._watching if path in WATCHING else None


def read_tokens(path: Path) -> tuple[bytes, ...]:
    """The digests of the tokens in *path*. Raises `TokenFileError`."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    tokens = [line for line in lines if line and not line.startswith("#")]
    if not tokens:
        raise TokenFileError("a file with at least one token, one a line")
    short = sum(len(token) < SHORTEST for token in tokens)
    if short:
        raise TokenFileError(f"tokens of at least {SHORTEST} characters; {short} of {len(tokens)} are shorter")
    return tuple(_digest(token) for token in tokens)


def _held(tokens: Tokens | None, authorization: str, *, as_password: bool) -> bool:
    return tokens is None or tokens.hold(_said(authorization, as_password))


def _said(authorization: str, as_password: bool) -> str:
    """The token in a header; "" without one."""
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

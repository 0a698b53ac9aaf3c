"""GitHub's REST API. Reads are retried; writes are not.

A write whose answer was lost may have happened or not. It raises `UnsureError`; an operation decorated with `surely`
reads the state again before it repeats the write.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

import requests

from forge.github.api_errors import RefusedError, refusal, unknown
from forge.interface import ForgeError

PAUSES = (1.0, 2.0, 4.0, 0.0)  # after each try, in seconds
MAX_WAIT = 60.0  # for one request, where no more is granted, in seconds
TIMEOUT = (10, 60)  # seconds to connect, seconds without a byte
MAX_CACHED = 500  # answers kept for conditional requests
JSON = "application/vnd.github+json"
RAW = "application/vnd.github.raw+json"
BYTES = "application/octet-stream"
LOST = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)

S = TypeVar("S")
T = TypeVar("T")
P = ParamSpec("P")


class UnsureError(ForgeError):
    """A write whose answer was lost."""


def surely(operation: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Repeat *operation*, a method that reads and then writes, when an answer was lost."""

    @functools.wraps(operation)
    def again(self: S, /, *args: P.args, **named: P.kwargs) -> T:
        for _ in range(2):
            try:
                return operation(self, *args, **named)
            except UnsureError:
                pass  # the client has paused already
        return operation(self, *args, **named)

    return again


class Rest:
    """The API of one *repository*. Reading a public one needs no token.

    Rate limits are respected: at most a minute for one request, and *patience* seconds in all.
    """

    def __init__(
        self,
        repository: str,
        token: str,
        api: str,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
        patience: float = MAX_WAIT,
        session: requests.Session | None = None,
    ) -> None:
        self.repository = repository
        self._api = api.rstrip("/")
        self._root = f"{self._api}/repos/{repository}"
        self._token = token.strip()
        if not (self._token.isascii() and self._token.isprintable()):
            raise ForgeError("GITHUB_TOKEN has characters that a token cannot have; set it again")
        self._now, self.sleep = now, sleep
        self._patience, self._waited = patience, 0.0
        self._session = session or requests.Session()
        self._session.headers.update({"User-Agent": "tidegate", "X-GitHub-Api-Version": "2022-11-28"})
        # Not a header of the session, which a .netrc file would replace.
        self._session.auth = self._sign
        self._answers: dict[tuple[str, str], requests.Response] = {}
        self._me: str | None = None
        self._default_branch = ""

    def default_branch(self) -> str:
        """The repository's default branch."""
        if not self._default_branch:
            self._default_branch = str((self.get("") or {}).get("default_branch") or "HEAD")
        return self._default_branch

    def get(self, path: str, /, **query: Any) -> Any:
        """What is at *path*; None if there is nothing."""
        answer = self._read(path, JSON, query)
        return None if answer is None else _json(answer)

    def text(self, path: str, /, **query: Any) -> str | None:
        """The file at *path*; None if there is none."""
        answer = self._read(path, RAW, query)
        return None if answer is None else answer.content.decode(errors="replace")

    def header(self, path: str, name: str) -> str:
        """The header *name* of the answer to a GET of *path*; "" without one."""
        return str(self._call("GET", path).headers.get(name, ""))

    def pages(self, path: str, /, **query: Any) -> Iterator[Any]:
        """All items of the list at *path*. Raises `ForgeError` if the list or one of its pages is not shown.

        Without conditional requests: a full page keeps its ETag when a next page appears.
        """
        where: str | None = path
        query |= {"per_page": 100}
        while where:
            answer = self._found(where, {"Accept": JSON}, query)
            yield from _listed(path, None if answer is None else _json(answer))
            where = answer.links.get("next", {}).get("url") if answer is not None else None
            query = {}

    def newest(self, path: str, /, **query: Any) -> list[Any]:
        """The first page of the list at *path*. Raises `ForgeError` for a list that is not shown."""
        return _listed(path, self.get(path, **query))

    def content(self, path: str, accept: str = BYTES) -> bytes:
        """The bytes of an asset or archive. The token is not sent to the storage that GitHub redirects to."""
        content: bytes = self._call("GET", path, headers={"Accept": accept}).content
        return content

    def write(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer to a write. Raises `UnsureError` or `RefusedError`."""
        return _json(self._call(method, path, json=body))

    def send(self, url: str, name: str, content: bytes) -> None:
        """Upload an asset to a release's upload address."""
        where = f"{url.partition('{')[0]}?name={quote(name)}"
        self._call("POST", where, data=content, headers={"Content-Type": BYTES})

    def me(self) -> str:
        """The login of the token's user; "" for a robot's token, which cannot read it."""
        if self._me is None:
            try:
                self._me = _json(self._call("GET", f"{self._api}/user"))["login"] if self._token else ""
            except RefusedError:
                self._me = ""
        return self._me or ""

    def _read(self, path: str, accept: str, query: Mapping[str, Any]) -> requests.Response | None:
        headers, key = {"Accept": accept}, (f"{path}?{sorted(query.items())}", accept)
        kept = self._answers.get(key)
        if kept is not None:
            headers["If-None-Match"] = kept.headers["ETag"]
        answer = self._found(path, headers, query)
        if answer is not None and answer.status_code == 304:
            return kept
        if answer is not None and "ETag" in answer.headers:
            if len(self._answers) >= MAX_CACHED:
                self._answers.clear()
            self._answers[key] = answer
        return answer

    def _found(self, path: str, headers: Mapping[str, str], query: Mapping[str, Any]) -> requests.Response | None:
        try:
            return self._call("GET", path, params=query, headers=headers)
        except RefusedError as refused:
            if refused.status == 404:
                self._look_for_repository()
            elif refused.status != 409:  # a repository without a commit
                raise
        return None

    def _look_for_repository(self) -> None:
        """Raise `ForgeError` if the repository is not shown either: then a 404 does not mean that a file is missing.

        Checked each time, since a token may lose its access between two requests.
        """
        try:
            self._call("GET", "")
        except RefusedError as refused:
            raise (unknown(self.repository) if refused.status == 404 else refused) from refused

    def _call(self, method: str, path: str, **more: Any) -> requests.Response:
        url = path if "://" in path else f"{self._root}/{quote(path, safe='/.')}".rstrip("/")
        reading, what = method == "GET", f"{method} {path.partition('?')[0] or self.repository}"
        trouble, waited, tries = "", 0.0, 0
        while tries < len(PAUSES):
            try:
                # A redirected write would become a read.
                answer = self._session.request(method, url, timeout=TIMEOUT, allow_redirects=reading, **more)
            except LOST as error:
                trouble = type(error).__name__
            except (requests.RequestException, ValueError) as error:
                raise ForgeError(
                    f"GitHub cannot be reached at {self._root} ({type(error).__name__});"
                    " check GITHUB_API_URL, HTTPS_PROXY and the network"
                ) from None
            else:
                wait = self._asked_to_wait(answer)
                if wait is not None:
                    waited += wait
                    self._wait(wait, waited)
                    continue
                if answer.status_code < 300 or answer.status_code == 304:
                    return answer
                if answer.status_code < 500:
                    about = self._about(url, reading, answer.status_code)
                    raise refusal(method, path, answer, self.repository, about)
                trouble = f"status {answer.status_code}"
            self.sleep(PAUSES[tries])
            tries += 1
            if not reading:
                raise UnsureError(
                    f"GitHub gave no answer to {what} ({trouble}): it may or may not have been done; run"
                    " the command again, which does nothing twice"
                )
        raise ForgeError(f"GitHub gave no answer to {what} ({trouble}); run the command again later")

    def _about(self, url: str, reading: bool, status: int) -> Mapping[str, Any]:
        """The repository's description, where it may explain a refusal; else empty."""
        explains = status in ((403,) if reading else (301, 302, 307, 308, 403, 404))
        if not explains or url in (self._root, f"{self._api}/user"):
            return {}
        try:
            found = _json(self._call("GET", ""))
        except RefusedError as refused:
            if refused.status == 404:
                raise unknown(self.repository) from refused
            raise
        return found if isinstance(found, Mapping) else {}

    def _asked_to_wait(self, answer: requests.Response) -> float | None:
        """Seconds to wait, if GitHub refused the request by a rate limit; else None."""
        headers, status = answer.headers, answer.status_code
        after = headers.get("Retry-After", "")
        if after.isdigit() and status in (403, 429, 503):
            return max(float(after), 1.0)
        if status not in (403, 429):
            return None
        if headers.get("x-ratelimit-remaining") == "0":
            reset = float(headers.get("x-ratelimit-reset", 0))
            return max(reset - self._now().timestamp() + 1, 1.0)
        return MAX_WAIT if status == 429 or "rate limit" in answer.text else None

    def _wait(self, wait: float, waited: float) -> None:
        """Sleep for *wait* seconds, the last of *waited* for one request. Raises `ForgeError` if that is too long."""
        self._waited += wait
        if waited > MAX_WAIT and self._waited > self._patience:
            when = (self._now() + timedelta(seconds=wait)).astimezone(UTC)
            raise ForgeError(
                f"GitHub takes no more requests until {when:%Y-%m-%d %H:%M:%S} UTC; run the command"
                " again then" + ("" if self._token else ", or set GITHUB_TOKEN: it allows more")
            )
        self.sleep(wait)

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _listed(path: str, found: Any) -> list[Any]:
    """The list *found* at *path*. Raises `ForgeError` for an answer that is not a list, even an empty one."""
    if not isinstance(found, list):
        raise ForgeError(
            f"GitHub shows no list for GET {path.partition('?')[0]}: the token may have no access to it. Nothing was"
            " changed; check the token's permissions, or run the command"
            " again later"
        )
    return found


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json() if answer.content else None
    except ValueError:
        raise ForgeError(
            f"what answered at {answer.url.partition('?')[0]} is not GitHub's API; check GITHUB_API_URL"
        ) from None

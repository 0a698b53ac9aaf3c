"""What the fake GitHub answers to a request: tokens, faults, pages, ETags.

`fake_server` puts it on the loopback. `session_with` needs no server.
"""

import hashlib
import io
import json
import re
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

import tests.forge.fake_releases
import tests.forge.fake_routes  # noqa: F401 -- these two know the requests
from tests.forge.fake_github import NAME, ROUTES, SaysNoError

#: the first that matches names the permission of a path
PERMISSIONS = {
    r"pulls/\d+/merge": "contents",
    r"pulls|issues/(\d+/(comments|labels)|comments)": "pull-requests",
    r"issues": "issues",
    r"statuses|commits/[^/]+/status": "statuses",
    r"actions": "actions",
    r"": "contents",
}
#: lists that are always given two at a time
PAGED = re.compile(r"issues|releases|issues/\d+/comments|releases/\d+/assets|pulls/\d+/files")


class Asked:
    """One request. *fault* is what goes wrong with it, if anything."""

    def __init__(self, fake, command, url, headers, raw):
        self.fake, self.command, self.headers = fake, command, headers
        parts = urlsplit(url)
        path, query = unquote(parts.path), dict(parse_qsl(parts.query))
        with fake.lock:
            self.fault = fake.fault(command, path)
            self.status, content, self.sent = self.decide(self.fault, path, query, raw)
            content = b"" if content is None else content
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            if command == "GET" and self.status == 200 and not path.startswith("/store/"):
                self.sent["ETag"] = f'"{hashlib.sha1(content).hexdigest()}"'
                if headers.get("If-None-Match") == self.sent["ETag"]:
                    self.status, content = 304, b""
            self.content = content
            fake.calls.append((command, path, self.status))

    def decide(self, fault, path, query, raw):
        if fault["what"] == "before":
            return 0, None, {}
        if isinstance(fault["what"], int):
            found = {"message": fault.get("message", "trouble")}
            return fault["what"], found, dict(fault.get("headers", ()))
        try:
            if path.startswith("/store/"):
                if self.headers.get("Authorization"):
                    raise SaysNoError(400, "Only one auth mechanism allowed")
                return 200, self.fake.assets[int(path.rpartition("/")[2])]["content"], {}
            if path == "/user":
                return self.user()
            repository, path = re.fullmatch("/repos/([^/]+/[^/]+)/?(.*)", path).groups()
            self.check(repository, path)
            return self.carry_out(path, query, raw)
        except SaysNoError as no:
            return no.status, no.body, {}

    def user(self):
        self.check(NAME, "")
        if self.who[1]["type"] == "Bot":
            raise SaysNoError(403, "Resource not accessible by integration")
        return 200, self.who[1], {}

    def check(self, repository, path):
        """Whether this token may."""
        sent = self.headers.get("Authorization")
        self.who = self.fake.tokens.get((sent or "").removeprefix("Bearer "))
        if (sent and self.who is None) or not (sent or self.command == "GET"):
            raise SaysNoError(401, "Bad credentials")
        if repository != NAME:
            raise SaysNoError(404, "Not Found")
        need = next(name for pattern, name in PERMISSIONS.items() if re.match(pattern, path))
        below = re.match(r"issues/(\d+)/(?:comments|labels)", path)
        if below and int(below[1]) not in self.fake.pulls:
            need = "issues"
        allowed = None if self.who is None else self.who[0]
        if allowed is not None and self.command != "GET" and allowed.get(need) != "write":
            raise SaysNoError(403, "Resource not accessible by integration")

    def carry_out(self, path, query, raw):
        upload = path.endswith("/assets") and self.command == "POST"
        body = raw if upload else json.loads(raw or b"{}")
        for method, pattern, function in ROUTES:
            found = pattern.fullmatch(path)
            if method == self.command and found:
                status, value = function(self.fake, self, query | {"sent": body}, *found.groups())
                return status, *self.page(path, query, value)
        raise SaysNoError(501, f"the fake has no {self.command} {path}")

    def page(self, path, query, value):
        if isinstance(value, str):
            return None, {"Location": value}
        if not isinstance(value, list) or self.command != "GET":
            return value, {}
        size = 2 if PAGED.fullmatch(path) else int(query.get("per_page", 30))
        page = int(query.get("page", 1))
        more = "&".join(f"{k}={v}" for k, v in query.items() if k != "page")
        link = f'<{self.fake.url}/repos/{NAME}/{path}?{more}&page={page + 1}>; rel="next"'
        rest = len(value) > page * size
        return value[(page - 1) * size : page * size], {"Link": link} if rest else {}


class InProcess(BaseAdapter):
    """Requests to *fake* that are answered without a connection."""

    def __init__(self, fake):
        super().__init__()
        self.fake = fake

    def send(self, request, **_):
        body = request.body or b""
        raw = body.encode() if isinstance(body, str) else body
        asked = Asked(self.fake, request.method, request.url, request.headers, raw)
        if asked.fault["what"] in ("before", "after"):
            raise requests.ConnectionError
        if asked.fault["what"] == "cut":
            raise requests.exceptions.ChunkedEncodingError
        found = requests.Response()
        found.status_code, found.url, found.request = asked.status, request.url, request
        found.headers = CaseInsensitiveDict(asked.sent)
        found.raw = io.BytesIO(asked.content)
        return found

    def close(self):
        pass


def session_with(fake):
    """A session whose requests *fake* answers in this process."""
    found = requests.Session()
    found.trust_env = False
    found.mount("http://", InProcess(fake))
    return found

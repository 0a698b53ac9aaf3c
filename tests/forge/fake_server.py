"""The fake GitHub over real HTTP on the loopback: tokens, faults, pages, ETags."""

import hashlib
import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

import tests.forge.fake_releases
import tests.forge.fake_routes  # noqa: F401 -- these two know the requests
from tests.forge.fake_github import NAME, ROUTES, SaysNoError

#: the first that matches names the permission of a path
PERMISSIONS = {
    r"pulls/\d+/merge": "contents", r"pulls|issues/(\d+/(comments|labels)|comments)": "pull-requests",
    r"issues": "issues", r"statuses|commits/[^/]+/status": "statuses", r"actions": "actions",
    r"": "contents",
}  # fmt: skip
#: lists that are always given two at a time
PAGED = re.compile(r"issues|releases|issues/\d+/comments|releases/\d+/assets|pulls/\d+/files")


def serve(fake):
    """The server of *fake*; whoever starts it must shut it down."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    server.daemon_threads = True
    server.fake = fake
    fake.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


class Asked(BaseHTTPRequestHandler):
    """One connection, and the requests on it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *words):
        pass

    def answer(self):
        self.fake = self.server.fake
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), dict(parse_qsl(parts.query))
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.fake.lock:
            fault = self.fake.fault(self.command, path)
            status, content, headers = self.decide(fault, path, query, raw)
            content = b"" if content is None else content
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            if self.command == "GET" and status == 200 and not path.startswith("/store/"):
                headers["ETag"] = f'"{hashlib.sha1(content).hexdigest()}"'
                if self.headers.get("If-None-Match") == headers["ETag"]:
                    status, content = 304, b""
            self.fake.calls.append((self.command, path, status))
        if fault["what"] in ("before", "after"):
            self.drop()
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if fault["what"] == "cut":
            self.wfile.write(content[: len(content) // 2])
            self.drop()
            return
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer  # noqa: N815 -- http.server's names

    def drop(self):
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def decide(self, fault, path, query, raw):
        if fault["what"] == "before":
            return 0, None, {}
        if isinstance(fault["what"], int):
            told = {"message": fault.get("message", "trouble")}
            return fault["what"], told, dict(fault.get("headers", ()))
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

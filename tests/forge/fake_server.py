"""The fake GitHub over real HTTP on the loopback."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.forge.fake_answers import Asked


def serve(fake):
    """The server of *fake*; whoever starts it must shut it down."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Connection)
    server.daemon_threads = True
    server.fake = fake
    fake.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


class Connection(BaseHTTPRequestHandler):
    """One connection, and the requests on it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *words):
        pass

    def answer(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.server.fake, self.command, self.path, self.headers, raw)
        if asked.fault["what"] in ("before", "after"):
            self.drop()
            return
        self.send_response(asked.status)
        for name, value in asked.sent.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(asked.content)))
        self.end_headers()
        if asked.fault["what"] == "cut":
            self.wfile.write(asked.content[: len(asked.content) // 2])
            self.drop()
            return
        self.wfile.write(asked.content)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer  # noqa: N815 -- http.server's names

    def drop(self):
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

"""Bodies are waited for without a thread each, and not for ever."""

import asyncio
import io
import json
from types import SimpleNamespace

import pytest

from serve.front import Front

MOST = 100_000


class Headers(dict):
    """As granian hands them over."""


class Proto:
    """A request's body in parts, and what was answered."""

    def __init__(self, *parts, wait=0.0):
        self.parts, self.wait, self.answers = parts, wait, []

    async def __call__(self):
        await asyncio.sleep(self.wait)
        return b"".join(self.parts)

    async def __aiter__(self):
        for part in self.parts:
            await asyncio.sleep(self.wait)
            yield part

    def response_bytes(self, status, headers, body):
        self.answers.append((status, dict(headers), body))


def scope(path="/score", method="POST", **headers):
    return SimpleNamespace(
        method=method, path=path, query_string="a=b", http_version="1.1", scheme="http",
        server="127.0.0.1:80", client="10.0.0.1:5000",
        headers=Headers({name.replace("_", "-"): value for name, value in headers.items()}),
    )  # fmt: skip


def echoing(environ, start):
    """Answers with what it was asked."""
    told = {name: value for name, value in environ.items() if isinstance(value, str)}
    told["body"] = environ["wsgi.input"].read().decode() if "wsgi.input" in environ else None
    start("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]


def ask(front, *pairs):
    """Hand requests over at once; wait for all."""

    async def run():
        front.__rsgi_init__(asyncio.get_running_loop())
        await asyncio.gather(*(front.__rsgi__(scope_, proto) for scope_, proto in pairs))

    asyncio.run(run())
    return [proto.answers for _, proto in pairs]


@pytest.mark.parametrize("path", ["/score", "/outcome"])
@pytest.mark.parametrize("inline", [True, False])
def test_the_application_is_asked_as_wsgi_says(path, inline):
    """On the loop or in a thread."""
    ((answer,),) = ask(
        Front(echoing, MOST, 5, 2, inline=inline),
        (scope(path, content_length="4", content_type="text/plain", x_odd="1"), Proto(b"body")),
    )
    told = json.loads(answer[2])

    assert answer[0] == 200
    assert told["body"] == "body"
    for name, value in {
        "REQUEST_METHOD": "POST", "PATH_INFO": path, "QUERY_STRING": "a=b", "CONTENT_LENGTH": "4",
        "CONTENT_TYPE": "text/plain", "HTTP_X_ODD": "1", "REMOTE_ADDR": "10.0.0.1",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
    }.items():  # fmt: skip
        assert told[name] == value


def test_a_slow_body_is_given_up_and_holds_up_nobody():
    """One of them is still waited for when the other is answered."""
    slow, quick = Proto(b"x", wait=30), Proto(b"y")
    answers = ask(
        Front(echoing, MOST, 0.05, 1),
        (scope(content_length="1"), slow),
        (scope(content_length="1"), quick),
    )

    assert answers[1][0][0] == 200
    ((status, headers, body),) = answers[0]
    assert status == 408
    assert headers["Connection"] == "close"
    assert json.loads(body)["error"] == "the body was not there within 0.05 s"


def test_a_body_without_a_length_is_read_up_to_the_limit():
    """In parts; of one that is too long, as much as makes it too long."""
    right, long_ = Proto(b"a", b"b"), Proto(*[b"x" * 60_000] * 5)
    front = Front(echoing, MOST, 5, 1)
    ((one,), (other,)) = ask(
        front,
        (scope(transfer_encoding="chunked"), right),
        (scope(transfer_encoding="chunked"), long_),
    )

    assert json.loads(one[2])["body"] == "ab"
    assert json.loads(one[2])["CONTENT_LENGTH"] == "2"
    assert "HTTP_TRANSFER_ENCODING" not in json.loads(one[2])
    assert json.loads(other[2])["CONTENT_LENGTH"] == "120000"


def test_a_body_that_says_it_is_too_large_is_not_read():
    """The application says so by its length."""
    ((answer,),) = ask(
        Front(echoing, MOST, 5, 1), (scope(content_length=str(MOST + 1)), Proto(b"never", wait=30))
    )

    assert json.loads(answer[2])["body"] == ""


def test_large_bodies_are_not_held_without_end():
    """Memory is not a client's to fill."""
    pairs = [(scope(content_length=str(MOST)), Proto(b"x", wait=0.05)) for _ in range(12)]
    answers = ask(Front(echoing, MOST, 5, 1), *pairs)
    found = sorted(answer[0][0] for answer in answers)

    assert found == [200] * 8 + [503] * 4


def test_a_path_is_handed_on_as_bytes():
    """Whatever characters it has."""
    ((answer,),) = ask(Front(echoing, MOST, 5, 1), (scope("/ü", "GET"), Proto()))

    assert json.loads(answer[2])["PATH_INFO"].encode("latin-1").decode() == "/ü"


def test_an_iterable_is_closed_when_it_is_sent():
    """As WSGI asks."""
    closed = []

    class Body(io.BytesIO):
        def close(self):
            closed.append(True)
            super().close()

    def app(environ, start):
        start("204 No Content", [])
        return Body(b"")

    ask(Front(app, MOST, 5, 1), (scope("/x", "GET"), Proto()))
    assert closed[0]

"""The short cut answers byte for byte what Flask answers, and leaves to it what is not plain."""

import io
import json

import pytest

from serve.access import Access
from serve.app import create_app
from serve.scoring import RequestError
from serve.shortcut import LARGEST, ShortCut

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TOKEN = "a token that nobody guesses"


def environ(body, **more):
    return {
        "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/score", "QUERY_STRING": "",
        "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
        "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json",
    } | more  # fmt: skip


def ask(application, environ):
    told = []
    body = b"".join(application(environ, lambda *given: told.extend(given[:2])))
    return told[0], sorted(told[1]), body


@pytest.fixture
def both(store, journal, clock, bundles, tmp_path):
    """Flask alone, and with the short cut in front: each on a scorer of its own."""
    store.serve(bundles[0])
    tokens = tmp_path / "tokens"
    tokens.write_text(TOKEN)
    from serve.settings import Settings

    found = []
    for name in ("one", "two"):
        settings = Settings(
            store=store.folder,
            journal=journal / name,
            tokens=tokens,
            origins=("https://shop.example",),
        )
        app = create_app(
            store.folder, journal / name, settings=settings, follow_every=None, clock=clock
        )
        found.append(app)
    plain, short = found
    assert isinstance(short.wsgi_app, ShortCut)
    return plain.wsgi_app._ordinary, short.wsgi_app


GOOD = {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({}, {}),
        ({}, {"HTTP_TRACEPARENT": TRACE}),
        ({}, {"HTTP_TRACEPARENT": "00-nothing"}),
        ({}, {"HTTP_ORIGIN": "https://shop.example"}),
        ({}, {"HTTP_ORIGIN": "https://other.example", "HTTP_TRACEPARENT": TRACE}),
        ({}, {"HTTP_AUTHORIZATION": "Bearer wrong"}),
        ({}, {"HTTP_AUTHORIZATION": ""}),
        ({}, {"HTTP_ACCEPT": "text/html", "CONTENT_TYPE": "text/plain"}),
        ({}, {"QUERY_STRING": "a=b"}),
        ({"age": 300}, {}),
        ({"country": "Ö\u2028"}, {}),
        ({"country": None, "age": None}, {}),
        ({"pages": "3"}, {"HTTP_TRACEPARENT": TRACE, "HTTP_ORIGIN": "https://shop.example"}),
        ({"new": {"a": 1}}, {}),
        ({"at": "yesterday", "visitor": 3}, {}),
        ({"campaign": "\ud800"}, {}),
        ({}, {"CONTENT_LENGTH": "3"}),
        ({}, {"CONTENT_LENGTH": ""}),
        ({}, {"CONTENT_LENGTH": "5000"}),
        ({}, {"CONTENT_LENGTH": "x"}),
        ({}, {"CONTENT_LENGTH": "-1"}),
        ({}, {"CONTENT_LENGTH": "999999999"}),
        ({}, {"REQUEST_METHOD": "PUT"}),
        ({}, {"REQUEST_METHOD": "OPTIONS", "HTTP_ORIGIN": "https://shop.example"}),
        ({}, {"PATH_INFO": "/score/"}),
        ({}, {"HTTP_EXPECT": "100-continue"}),
    ],
    ids=str,
)
def test_the_short_cut_answers_the_same_bytes(both, row, change, more):
    """Status, headers and body; of ids, those that the row brings."""
    body = json.dumps(row | {"id": "order-7"} | change).encode()
    plain, short = (ask(application, environ(body, **(GOOD | more))) for application in both)

    assert plain == short


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 1000, b" " * 70_000])
def test_and_for_bodies_that_are_none(both, body):
    """Or that are too large for it."""
    plain, short = (ask(application, environ(body, **GOOD)) for application in both)

    assert plain == short


def test_a_list_is_answered_the_same(both, row):
    """Long ones go the ordinary way."""
    for count in (1, 3, 400):
        rows = [row | {"id": f"order-{n}"} for n in range(count)]
        body = json.dumps(rows).encode()
        assert (len(body) > LARGEST) == (count == 400)
        plain, short = (ask(application, environ(body, **GOOD)) for application in both)

        assert plain == short
        assert plain[0] == "200 OK"


def test_both_keep_the_same_lines(both, row, journal, kept):
    """An answer by the short cut is an answer."""
    body = json.dumps(row | {"id": "order-7"}).encode()
    for application in both:
        ask(application, environ(body, **GOOD, HTTP_TRACEPARENT=TRACE))
    lines = [
        [
            json.loads(line) | {"key": "hashed with another salt"}
            for path in (journal / name).glob("answers-*")
            for line in path.read_text().splitlines()
        ]
        for name in ("one", "two")
    ]

    assert lines[0] == lines[1]
    assert lines[0][0]["trace"] == TRACE
    assert len(lines[0]) == 1


def test_a_failure_is_tried_once_and_said_by_flask(store, journal, bundles, row):
    """An answer that was kept, or counted as lost, is not so twice."""
    store.serve(bundles[0])
    app = create_app(store.folder, journal, follow_every=None)
    scorer, tries = app.extensions["tidegate"], []

    def score(content, trace=""):
        tries.append(content)
        raise RequestError(503, "the journal cannot be written")

    scorer.score = score
    status, headers, body = ask(app.wsgi_app, environ(json.dumps(row).encode()))

    assert len(tries) == 1
    assert status.startswith("503")
    assert ("Retry-After", "1") in headers
    assert json.loads(body)["error"] == "the journal cannot be written"


def test_it_is_short():
    """Or it would be a framework of its own."""
    from pathlib import Path

    import serve.shortcut

    assert len(Path(serve.shortcut.__file__).read_text().splitlines()) < 60


def test_what_is_not_its_route_is_passed_on_unread():
    """The body too."""
    passed = []
    short = ShortCut(lambda environ, start: passed.append(environ) or [], None, Access(), LARGEST)
    asked = environ(b"{}", PATH_INFO="/outcome")
    short(asked, None)

    assert passed == [asked]
    assert asked["wsgi.input"].read() == b"{}"

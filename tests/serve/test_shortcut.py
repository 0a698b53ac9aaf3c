"""The short cut answers byte for byte what Flask answers, and leaves to it what is not plain."""

import json

import pytest

from serve.access import Access
from serve.app import create_app
from serve.front import Front
from serve.request import Request
from serve.scoring import RequestError
from serve.settings import Settings
from serve.shortcut import LARGEST, ShortCut

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TOKEN = "a token that nobody guesses"


def request(body, target="/score", method="POST", **headers):
    found = Request()
    found.method, found.target, found.content, found.size = (
        method.encode(),
        target.encode(),
        body,
        len(body),
    )
    usual = {b"host": b"a", b"content-type": b"application/json"}
    found.headers = (
        usual
        | {b"content-length": b"%d" % len(body)}
        | {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    )
    found.keep = True
    return found


def ask(front, asked):
    """Status line, headers in order of their names, and body."""
    short = front._short
    found = short.answers([asked])[0] if short and short.takes(asked) else None
    head, _, body = front.answer(asked, found).partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, sorted(line for line in lines if line), body


def front(app, *, short):
    cut = app.extensions["tidegate.shortcut"] if short else None
    return Front(app.wsgi_app, cut, Settings.largest_body, {})


@pytest.fixture
def both(store, journal, clock, bundles, tmp_path):
    """Flask alone, and with the short cut in front: each on a scorer of its own."""
    store.serve(bundles[0])
    tokens = tmp_path / "tokens"
    tokens.write_text(TOKEN)
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
        found.append(front(app, short=name == "two"))
    return found


GOOD = {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({}, {}),
        ({}, {"traceparent": TRACE}),
        ({}, {"traceparent": "00-nothing"}),
        ({}, {"origin": "https://shop.example"}),
        ({}, {"origin": "https://other.example", "traceparent": TRACE}),
        ({}, {"authorization": "Bearer wrong"}),
        ({}, {"authorization": ""}),
        ({}, {"accept": "text/html", "content_type": "text/plain"}),
        ({}, {"origin": "https://shop.example", "content_type": "text/plain"}),
        ({}, {"target": "/score?a=b"}),
        ({"age": 300}, {}),
        ({"country": "Ö\u2028"}, {}),
        ({"country": None, "age": None}, {}),
        ({"pages": "3"}, {"traceparent": TRACE, "origin": "https://shop.example"}),
        ({"new": {"a": 1}}, {}),
        ({"at": "yesterday", "visitor": 3}, {}),
        ({"campaign": "\ud800"}, {}),
        ({}, {"method": "PUT"}),
        ({}, {"method": "OPTIONS", "origin": "https://shop.example"}),
        ({}, {"target": "/score/"}),
        ({}, {"expect": "100-continue"}),
    ],
    ids=str,
)
def test_the_short_cut_answers_the_same_bytes(both, row, change, more):
    """Status, headers and body; of ids, those that the row brings."""
    body = json.dumps(row | {"id": "order-7"} | change).encode()
    plain, short = (ask(one, request(body, **(GOOD | more))) for one in both)

    assert plain == short


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 1000, b" " * 70_000])
def test_and_for_bodies_that_are_none(both, body):
    """Or that are too large for it."""
    plain, short = (ask(one, request(body, **GOOD)) for one in both)

    assert plain == short


def test_a_list_is_answered_the_same(both, row):
    """Long ones go the ordinary way."""
    for count in (1, 3, 400):
        rows = [row | {"id": f"order-{n}"} for n in range(count)]
        body = json.dumps(rows).encode()
        assert (len(body) > LARGEST) == (count == 400)
        plain, short = (ask(one, request(body, **GOOD)) for one in both)

        assert plain == short
        assert plain[0] == "HTTP/1.1 200 OK"


def test_both_keep_the_same_lines(both, row, journal, kept):
    """An answer by the short cut is an answer."""
    body = json.dumps(row | {"id": "order-7"}).encode()
    for one in both:
        ask(one, request(body, **GOOD, traceparent=TRACE))
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

    def answer(rows, **_):
        tries.append(rows)
        raise RequestError(503, "the journal cannot be written")

    scorer.answer = answer
    status, headers, body = ask(front(app, short=True), request(json.dumps(row).encode()))

    assert len(tries) == 1
    assert status.startswith("HTTP/1.1 503")
    assert "Retry-After: 1" in headers
    assert json.loads(body)["error"] == "the journal cannot be written"


def test_it_is_short():
    """Or it would be a framework of its own."""
    from pathlib import Path

    import serve.shortcut

    assert len(Path(serve.shortcut.__file__).read_text().splitlines()) < 60


@pytest.mark.parametrize(
    ("body", "more", "taken"),
    [
        (b"{}", {}, True),
        (b"{}", {"traceparent": TRACE, "origin": "https://shop.example"}, True),
        (b"{}", {"origin": "https://shop.example", "content_type": "text/plain"}, False),
        (b"x" * LARGEST, {}, True),
        (b"x" * (LARGEST + 1), {}, False),
        (b"{}", {"target": "/outcome"}, False),
        (b"{}", {"target": "/score?a=b"}, False),
        (b"{}", {"method": "PUT"}, False),
        (b"{}", {"expect": "100-continue"}, False),
        (b"{}", {"content_encoding": "gzip"}, False),
        (b"{}", {"transfer_encoding": "chunked"}, False),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_it_takes_what_is_plain(body, more, taken):
    """One route, a small body, nothing odd about it."""
    assert ShortCut(None, Access(), 10 * LARGEST).takes(request(body, **more)) == taken


def test_it_takes_no_more_than_is_taken_at_all():
    """A limit that is lower than its own holds for it too."""
    assert not ShortCut(None, Access(), 1000).takes(request(b"x" * 1001))

"""Tokens let in who should be, web pages of named origins may ask, everybody else is refused with the reason."""

import base64
import json
import os

import pytest

from serve.app import create_app
from serve.http.auth import Access, TokenFileError, Tokens, read_tokens
from serve.settings import Settings

pytestmark = pytest.mark.slow

ONE, TWO, WATCHING = ("first-token-of-the-shop", "second-token-of-the-shop", "token-for-the-dashboard")
SHOP = "https://shop.example"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def tokens(tmp_path):
    path = tmp_path / "tokens"
    path.write_text(f"# the shop's\n{ONE}\n\n  {TWO}\n")
    return path


@pytest.fixture
def watch_tokens(tmp_path):
    path = tmp_path / "watch-tokens"
    path.write_text(WATCHING)
    return path


@pytest.fixture
def guarded(store, journal, clock, bundles, tokens, watch_tokens):
    store.serve(bundles[0])
    settings = Settings(store=store.folder, journal=journal, tokens=tokens, watch_tokens=watch_tokens, origins=(SHOP,))
    return create_app(store.folder, journal, settings=settings, follow_every=None, clock=clock).test_client()


def bearing(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", ["/score", "/outcome", "/invocations", "/v2/models/x/infer", "/v2"])
@pytest.mark.parametrize(
    ("authorization", "words"),
    [
        ("", "the token is missing"),
        ("Bearer", "is not one that is known"),
        ("Bearer ", "is not one that is known"),
        (f"Bearer {ONE[:-1]}", "is not one that is known"),
        (f"Bearer {ONE}x", "is not one that is known"),
        (f"Basic {ONE}", "is not one that is known"),
        (f"Bearer {WATCHING}", "is not one that is known"),
        ("Bearer ünïcode", "is not one that is known"),
    ],
)
def test_who_has_no_token_is_not_answered(guarded, path, authorization, words):
    """Before anything of the request is looked at; the token is not repeated."""
    answer = guarded.post(path, data=b"{", headers={"Authorization": authorization})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert words in answer.json["detail"]
    assert not authorization.partition(" ")[2] or authorization.split()[-1] not in answer.text


def test_each_of_several_tokens_is_as_good(guarded, row):
    """A new one is handed out before the old one is struck off."""
    for token in (ONE, TWO):
        answer = guarded.post("/score", json=row, headers=bearing(token))
        assert answer.status_code == 200
    assert guarded.post("/score", json=row, headers={"Authorization": f"bearer  {ONE}"}).status_code == 200


def test_those_who_look_on_have_tokens_of_their_own(guarded):
    """Metrics are about the business; the shop's pages need not see them."""
    for path in ("/metrics", "/"):
        assert guarded.get(path).status_code == 401
        assert guarded.get(path, headers=bearing(ONE)).status_code == 401
        assert guarded.get(path, headers=bearing(WATCHING)).status_code != 401


@pytest.mark.parametrize(
    ("name", "password", "status"),
    [
        ("", WATCHING, 200),
        ("anybody", WATCHING, 200),
        ("ünï", WATCHING, 200),
        ("", ONE, 401),
        (WATCHING, "", 401),
        ("", "", 401),
    ],
)
def test_a_browser_sends_the_token_as_a_password(guarded, name, password, status):
    """It asks for it when it is challenged (RFC 7617); the name says nothing."""
    found = "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
    for path in ("/", "/metrics"):
        answer = guarded.get(path, headers={"Authorization": found})
        assert answer.status_code == status
        challenged = guarded.get(path)
        assert challenged.headers["WWW-Authenticate"] == 'Basic realm="Tidegate", charset="UTF-8"'
        assert challenged.content_type == "application/problem+json"
    assert ("journal" in guarded.get("/ready", headers={"Authorization": found}).json) == (status == 200)


@pytest.mark.parametrize(
    "header", ["Basic", "Basic ?", "Basic /w==", "Basic Og", "basic", f"Basic {WATCHING}", "Digest x"]
)
def test_a_header_that_is_no_password_is_refused(guarded, header):
    """Not Base64, not UTF-8, cut off."""
    assert guarded.get("/", headers={"Authorization": header}).status_code == 401


def test_a_password_lets_nobody_ask(guarded, row):
    """A browser sends it along to every path; what scores rows must be said by the page itself."""
    found = "Basic " + base64.b64encode(f":{ONE}".encode()).decode()

    assert guarded.post("/score", json=row, headers={"Authorization": found}).status_code == 401


@pytest.mark.parametrize("path", ["/health", "/ready", "/v2/health/live", "/v2/health/ready"])
def test_probes_need_no_token(guarded, path):
    """A load balancer has none."""
    assert guarded.get(path).status_code != 401


def test_a_probe_sees_whether_and_who_has_the_token_sees_why(guarded):
    """Reasons have paths in them."""
    assert guarded.get("/ready").json.keys() == {"ready", "version", "since"}
    assert "journal" in guarded.get("/ready", headers=bearing(WATCHING)).json


def test_without_files_nobody_needs_a_token(client, row):
    """On a laptop."""
    assert client.post("/score", json=row).status_code == 200


def test_a_file_is_read_again_when_it_changes(tokens):
    """A token is struck off while running."""
    found = Tokens(tokens)
    assert found.hold(ONE)
    tokens.write_text(TWO)
    os.utime(tokens, (1, 1))
    found._looked -= 10

    assert not found.hold(ONE)
    assert found.hold(TWO)


@pytest.mark.parametrize("spoil", [lambda p: p.unlink(), lambda p: p.write_text(""), lambda p: p.write_text("short")])
def test_a_file_that_went_bad_leaves_the_old_tokens_in_force(tokens, spoil):
    """Neither everybody nor nobody is let in by a mistake."""
    found = Tokens(tokens)
    spoil(tokens)
    found._looked -= 10

    assert found.hold(ONE)
    assert not found.hold("")


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "at least one token"), ("# none\n", "at least one token"), ("a\nb\n" + ONE, "2 of 3 are shorter")],
)
def test_a_file_without_good_tokens_is_refused_without_showing_them(tmp_path, text, words):
    """At the start."""
    (tmp_path / "tokens").write_text(text)

    with pytest.raises(TokenFileError, match=words):
        read_tokens(tmp_path / "tokens")


def test_a_page_of_a_named_origin_may_read_the_answer(guarded, row):
    """And the preflight says so, without a token, for browsers send none."""
    asked = guarded.options("/score", headers={"Origin": SHOP, "Access-Control-Request-Method": "POST"})
    answer = guarded.post("/score", json=row, headers=bearing(ONE) | {"Origin": SHOP, "traceparent": TRACE})

    assert asked.status_code == 204
    assert asked.headers["Access-Control-Allow-Origin"] == SHOP
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert answer.headers["Vary"] == "Origin"
    assert answer.headers["traceparent"] == TRACE


@pytest.mark.parametrize("named", [(), ("X-Request-Id", "x-b3-traceid")])
def test_headers_of_tracing_pass_the_preflight_and_others_by_a_setting(store, journal, bundles, named):
    """OpenTelemetry's and Sentry's scripts add theirs to every request of a page."""
    store.serve(bundles[0])
    settings = Settings(store=store.folder, journal=journal, origins=(SHOP,), cors_headers=named)
    client = create_app(store.folder, journal, settings=settings, follow_every=None).test_client()
    asked = client.options("/score", headers={"Origin": SHOP, "Access-Control-Request-Method": "POST"})

    assert asked.headers["Access-Control-Allow-Headers"].lower().split(", ") == [
        "authorization",
        "content-type",
        "traceparent",
        "tracestate",
        "baggage",
        "sentry-trace",
        *map(str.lower, named),
    ]


@pytest.mark.parametrize("origin", ["https://other.example", "null", "http://shop.example", "*", ""])
def test_a_page_of_another_origin_may_not(guarded, row, origin):
    """Its browser keeps the answer from it."""
    asked = guarded.options("/score", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    answer = guarded.post("/score", json=row, headers=bearing(ONE) | {"Origin": origin})

    for found in (asked, answer):
        assert "Access-Control-Allow-Origin" not in found.headers


@pytest.mark.parametrize("path", ["/score", "/outcome", "/invocations"])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_a_page_cannot_go_round_the_preflight(client, row, kept, path, kind):
    """A browser sends what is called text or a form without asking, from any page to any server."""
    sent = {"/score": row, "/outcome": {"id": "x", "outcome": "yes"}, "/invocations": {"inputs": row}}
    body = json.dumps(sent[path])
    answer = client.post(path, data=body, content_type=kind, headers={"Origin": SHOP})

    assert answer.status_code == 415
    assert answer.json["detail"].count("; send JSON, as Content-Type: application/json")
    assert kept("answers") == kept("outcomes") == []
    assert client.post(path, data=body, content_type=kind).status_code < 300


def test_an_error_can_be_read_by_the_page_as_well(guarded):
    """Or a developer sees nothing but a failure."""
    answer = guarded.post("/score", data=b"{", headers=bearing(ONE) | {"Origin": SHOP}, content_type="application/json")

    assert answer.status_code == 400
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP


def test_an_error_is_a_problem_and_reveals_nothing(guarded, store, journal, row, app):
    """RFC 9457; neither paths nor rows nor what is in the store."""
    answer = guarded.post("/score", json=row | {"age": 300}, headers=bearing(ONE))

    assert answer.content_type == "application/problem+json"
    assert answer.json.keys() == {"type", "title", "status", "detail", "error", "problems"}
    assert (answer.json["type"], answer.json["status"]) == ("about:blank", 422)
    assert answer.json["detail"] == "1 problem in the row; nothing was taken"
    assert answer.json["error"].startswith("age: expected a number from 0 to 120 (years)")
    assert "300" not in answer.text
    assert str(store.folder.parent) not in answer.text
    assert row["visitor"] not in answer.text


def test_admission_is_by_path_and_not_by_its_beginning():
    """`/scores` is not `/score`."""
    access = Access()
    access.admit("/score", "")
    for path in ("/scores", "/health", "/v2x"):
        assert access._needed(path) is None

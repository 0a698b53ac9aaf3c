"""Authentication: bearer tokens, the token as a password in a browser, and cross-origin requests."""

import base64
import json
import os

import pytest

from serve.app import create_app
from serve.http.auth import Access, TokenFileError, Tokens, read_tokens
from serve.scoring.validation import RequestError
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
def test_a_request_without_a_valid_token_is_refused(guarded, path, authorization, words):
    """Before its body is read; the answer does not repeat the token."""
    answer = guarded.post(path, data=b"{", headers={"Authorization": authorization})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert words in answer.json["detail"]
    assert not authorization.partition(" ")[2] or authorization.split()[-1] not in answer.text


def test_each_token_of_the_file_is_valid(guarded, row):
    """So that a new one is handed out before the old one is removed."""
    for token in (ONE, TWO):
        answer = guarded.post("/score", json=row, headers=bearing(token))
        assert answer.status_code == 200
    assert guarded.post("/score", json=row, headers={"Authorization": f"bearer  {ONE}"}).status_code == 200


def test_monitoring_has_separate_tokens(guarded):
    """Metrics show figures of the business, which clients that send rows must not see."""
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
    """The browser asks a person for it after a challenge (RFC 7617); the user name is ignored."""
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
def test_a_header_without_a_readable_password_is_refused(guarded, header):
    """No Base64, no UTF-8, cut off, or another scheme."""
    assert guarded.get("/", headers={"Authorization": header}).status_code == 401


def test_a_client_token_is_not_accepted_as_a_password(guarded, row):
    """A browser adds a password to every request to the host, those that other sites cause included."""
    found = "Basic " + base64.b64encode(f":{ONE}".encode()).decode()

    assert guarded.post("/score", json=row, headers={"Authorization": found}).status_code == 401


@pytest.mark.parametrize("path", ["/health", "/ready", "/v2/health/live", "/v2/health/ready"])
def test_probes_need_no_token(guarded, path):
    """A load balancer cannot send one."""
    assert guarded.get(path).status_code != 401


def test_readiness_gives_details_only_with_the_token(guarded):
    """Details contain paths of files."""
    assert guarded.get("/ready").json.keys() == {"ready", "version", "since"}
    assert "journal" in guarded.get("/ready", headers=bearing(WATCHING)).json


def test_without_token_files_no_token_is_required(client, row):
    """As on a laptop."""
    assert client.post("/score", json=row).status_code == 200


def test_a_file_is_read_again_when_it_changes(tokens):
    """A token can be revoked while the scorer runs."""
    now = [0.0]
    found = Tokens(tokens, lambda: now[0])
    assert found.contain(ONE)
    tokens.write_text(TWO)
    os.utime(tokens, (1, 1))
    now[0] = 10.0

    assert not found.contain(ONE)
    assert found.contain(TWO)


@pytest.mark.parametrize("spoil", [lambda p: p.unlink(), lambda p: p.write_text(""), lambda p: p.write_text("short")])
def test_the_earlier_tokens_stay_valid_when_the_file_becomes_unreadable(tokens, spoil):
    """A mistake in the file neither opens the scorer nor closes it."""
    now = [0.0]
    found = Tokens(tokens, lambda: now[0])
    spoil(tokens)
    now[0] = 10.0

    assert found.contain(ONE)
    assert not found.contain("")


@pytest.mark.parametrize(
    "token", ["c2hvcC10b2tlbi0xMjM=", "a=b=c=d=e=f=g=h=", "token:with:colons:inside", "~._-+/ABCdef0123=="]
)
def test_a_token_may_hold_every_character_that_a_header_allows(tmp_path, token):
    """Base64 pads with `=` (RFC 6750, b64token), and a password may contain colons (RFC 7617)."""
    (tmp_path / "tokens").write_text(token)
    access = Access(tmp_path / "tokens", tmp_path / "tokens")

    access.admit("/score", f"Bearer {token}")
    access.admit("/", "Basic " + base64.b64encode(f"name:{token}".encode()).decode())
    with pytest.raises(RequestError):
        access.admit("/score", f"Bearer {token[:-1]}")


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "at least one token"), ("# none\n", "at least one token"), ("a\nb\n" + ONE, "2 of 3 are shorter")],
)
def test_a_file_without_good_tokens_is_refused_without_showing_them(tmp_path, text, words):
    """When the scorer starts."""
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
        assert access._required(path) is None

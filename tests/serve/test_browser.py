"""The pages in a real browser, Chromium without a window, driven over WebDriver's HTTP interface."""

import json
import shlex
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from werkzeug.serving import make_server

from serve.app import create_app
from serve.settings import Settings
from tests.chromium import CONTRAST, SIZES, chromium, needs_chromium
from tests.serve.listening import listening

pytestmark = [needs_chromium, pytest.mark.slow]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@contextmanager
def served(app):
    """The address of *app* while it is served."""
    with listening(make_server("127.0.0.1", 0, app, threaded=True)) as address:
        yield address


@contextmanager
def website(text):
    """The origin of a website whose every page is *text*."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text().encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)  # a browser keeps idle connections open
    with listening(server) as address:
        yield address


@pytest.fixture
def address(app):
    with served(app) as address:
        yield address


def test_a_row_is_tried_and_the_shell_line_gives_the_same(browser, address, bundles, kept):
    """One click scores the typical row; type the line that is shown."""
    browser.open(address + "/")
    browser.run("document.querySelector('button[type=submit]').click()")
    found = browser.until("return document.querySelector('#answer dl')?.innerText")
    line = browser.run("return document.getElementById('curl-line').textContent")

    assert bundles[0].name in found
    words = shlex.split(line.replace("\\\n", " "))
    assert words[:2] == ["curl", address + "/score"]
    assert json.loads(words[-1])["age"] == 60
    if shutil.which("curl"):
        again = json.loads(subprocess.run([*words, "-s"], capture_output=True, check=True).stdout)
        assert f"{again['score']:.6g}" in found.split()
        assert len(kept("answers")) == 2
    assert browser.complaints() == []


def test_what_is_wrong_is_said_beside_its_field(browser, address):
    """And the first of them has the focus."""
    browser.open(address + "/")
    for name, value in (("age", "old"), ("pages", ""), ("at", "noon")):
        browser.run("document.getElementById(arguments[0]).value = arguments[1]", f"f-{name}", value)
    browser.run("document.querySelector('button[type=submit]').click()")
    browser.until("return document.querySelector('#answer.bad li')")

    wrong = browser.run("return [...document.querySelectorAll('[aria-invalid=true]')].map((one) => one.name)")
    assert wrong == ["age", "pages", "at"]
    assert browser.run("return document.getElementById('e-age').textContent") == (
        "Expected a number from 0 to 120 (years) or null; got a string (private, not shown)."
    )
    assert browser.run("return document.activeElement.id") == "f-age"
    assert browser.run("return document.querySelector('#answer p').textContent").startswith("3 problems in the row")
    browser.run("document.querySelector('button[type=reset]').click()")
    browser.until("return !document.querySelector('[aria-invalid]')")
    assert browser.run("return document.getElementById('f-age').value") == "60"
    assert '"age":60' in browser.run("return document.getElementById('curl-line').textContent")


def test_who_has_the_tokens_looks_on_and_tries_a_row(browser, store, journal, clock, bundles, tmp_path):
    """The one is the browser's password, the other goes into the form, and stays out of sight."""
    store.serve(bundles[0])
    asking, watching = "token-for-asking-rows", "token-for-looking-on"
    (tmp_path / "asking").write_text(asking)
    (tmp_path / "watching").write_text(watching)
    settings = Settings(
        store=store.folder, journal=journal, tokens=tmp_path / "asking", watch_tokens=tmp_path / "watching"
    )
    app = create_app(store.folder, journal, settings=settings, follow_every=None, clock=clock)
    with served(app) as address:
        browser.open(address.replace("//", f"//me:{watching}@") + "/")
        browser.run("document.querySelector('button[type=submit]').click()")
        wrong = browser.until("return document.getElementById('token-wrong').textContent")
        assert wrong == "It is missing."
        assert browser.run("return document.activeElement.id") == "token"
        browser.run("document.getElementById('token').value = arguments[0]", asking)
        browser.run("document.querySelector('button[type=submit]').click()")
        found = browser.until("return document.querySelector('#answer dl')?.innerText")
        line = browser.run("return document.getElementById('curl-line').textContent")
        browser.run("await refresh()")

        assert bundles[0].name in found
        assert browser.run("return document.getElementById('stale').textContent") == ""
        assert '-H "Authorization: Bearer $TOKEN"' in line
        assert asking not in browser.run("return document.body.innerText")
        if shutil.which("curl"):
            command = ["bash", "-c", line + " -s"]
            done = subprocess.run(command, env={"TOKEN": asking}, capture_output=True, check=True)
            assert json.loads(done.stdout)["version"] == bundles[0].name
    browser.complaints()


def test_the_state_is_kept_fresh(browser, app, address, store, bundles):
    """Without a reload, and without a change of the form: a refusal, another model, a server that is gone."""
    browser.open(address + "/")
    store.serve(bundles[1], digest="sha256:" + "0" * 64)
    app.extensions["tidegate"].follower.refresh()
    browser.run("document.getElementById('f-age').value = '33'; await refresh()")
    assert "Refused" in browser.run("return document.querySelector('#now [role=alert]').innerText")
    assert browser.run("return document.getElementById('f-age').value") == "33"

    store.serve(bundles[1])
    app.extensions["tidegate"].follower.refresh()
    browser.run("await refresh()")
    assert bundles[1].name in browser.run("return document.getElementById('now').innerText")
    stale = "return document.getElementById('stale').textContent"
    assert "Another model is live" in browser.run(stale)
    browser.run("window.fetch = () => Promise.reject(new Error('gone')); await refresh()")
    assert "does not answer" in browser.run(stale)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_fits_and_can_be_read(browser, address, row, size, scheme):
    """On a phone and a desk, light and dark: no sideways scrolling, enough contrast, names for all."""
    with urllib.request.urlopen(
        urllib.request.Request(address + "/score", json.dumps([row] * 3).encode(), method="POST")
    ) as answer:
        assert answer.status == 200
    browser.look(size, scheme)
    for path in ("/", "/example.html"):
        browser.open(address + path)
        browser.run("document.querySelector('button[type=submit]').click()")
        browser.until("return document.querySelector('[role=status].note')")

        assert browser.run("return document.documentElement.scrollWidth") <= SIZES[size][0]
        assert browser.run(CONTRAST) == []
        small = "[...document.querySelectorAll('button, input, select')].filter((one) =>"
        small += " one.checkVisibility() && one.getBoundingClientRect().height < 44).length"
        assert browser.run(f"return {small}") == 0
    browser.look()


def test_a_screen_reader_finds_a_name_for_everything(browser, address, row):
    """Controls, regions; and what changes is announced."""
    browser.open(address + "/")
    nodes = browser.chrome("Accessibility.getFullAXTree")["nodes"]
    named = [
        (node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node.get("ignored")
    ]
    of_interest = {"textbox", "combobox", "button", "region", "link", "article", "heading"}

    assert [each for each in named if each[0] in of_interest and not each[1].strip()] == []
    roles = [role for role, _ in named]
    assert {"main", "banner", "contentinfo", "status", *of_interest} - {"textbox"} <= set(roles)
    live = "return document.getElementById('answer').getAttribute('aria-live')"
    assert browser.run(live) == "polite"


def test_the_example_asks_with_the_snippet(browser, address, row, bundles):
    """A row to begin with is there; it falls back where the row is refused."""
    browser.open(address + "/example.html")
    browser.until("return document.getElementById('json').value !== '{}'")
    browser.run("document.getElementById('timeout').value = '10000'")
    browser.run("document.querySelector('button[type=submit]').click()")
    found = browser.until("return document.querySelector('#result.good')?.textContent")
    assert found.endswith(f"from {bundles[0].name}")

    asked = urllib.parse.quote(json.dumps(row))
    browser.open(f"{address}/example.html?timeout=10000&row={asked}")
    found = browser.until("return document.querySelector('#result.good')?.textContent")
    assert found.endswith(f"from {bundles[0].name}")

    browser.open(f"{address}/example.html?timeout=10000&fallback=0.25&row=%7B%7D")
    found = browser.until("return document.querySelector('#result.bad')?.textContent")
    assert found.startswith("Score 0.25, fallen back on: refused with status 422: ")


def test_a_website_of_another_origin_asks_and_never_waits(browser, store, journal, clock, bundles, row, kept):
    """An answer, an outcome; a server that is silent, one that is gone, an origin that may not."""
    store.serve(bundles[0])
    place = []
    with website(lambda: f"<script src='{place[0]}/snippet.js'></script>") as allowed:
        settings = Settings(store=store.folder, journal=journal, origins=(allowed,))
        app = create_app(store.folder, journal, settings=settings, follow_every=None, clock=clock)
        with served(app) as address, socket.create_server(("127.0.0.1", 0)) as silent:
            place.append(address)
            browser.open(allowed)
            answer = browser.run("return tidegate.score(arguments[0], {timeout: 20000})", row)
            done = browser.run("return tidegate.outcome(arguments[0], 'yes')", answer["id"])
            assert (answer["version"], done) == (bundles[0].name, True)
            assert [each["id"] for each in kept("outcomes")] == [answer["id"]]
            assert browser.run("return tidegate.outcome('x', 'perhaps')") is False
            assert browser.run("return tidegate.outcome(null, 'yes')") is False

            ask = "tidegate.address = arguments[0];"
            ask += "return tidegate.score({}, {fallback: 0.1, timeout: 200})"
            answer = browser.run(ask, f"http://127.0.0.1:{silent.getsockname()[1]}/")
            assert answer == {"id": None, "score": 0.1, "fallback": True, "why": "no answer within 200 ms"}
        assert browser.run(ask, address + "/")["fallback"] is True

    with website(lambda: f"<script src='{place[0]}/snippet.js'></script>") as other, served(app) as it:
        place[0] = it
        browser.open(other)
        answer = browser.run("return tidegate.score(arguments[0], {timeout: 20000})", row)
        assert answer["fallback"] is True
    browser.complaints()

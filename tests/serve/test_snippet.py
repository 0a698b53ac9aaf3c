"""`snippet.js` in node: a fallback whatever fails, and its reason in the console, once of each kind."""

import json
import shutil
import socket
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from werkzeug.serving import make_server

from serve.app import create_app
from serve.settings import Settings
from tests.serve.listening import listening

NODE = shutil.which("node")
pytestmark = [pytest.mark.skipif(not NODE, reason="node is not installed"), pytest.mark.slow]
#: Loads the snippet as a page does, and runs what is typed after it.
PAGE = """
const [address, row] = process.argv.slice(1).map((each) => JSON.parse(each));
globalThis.window = globalThis;
globalThis.document = { currentScript: { src: `${address}/snippet.js` } };
const warnings = [];
console.warn = (words) => warnings.push(words);
(0, eval)(require("fs").readFileSync("serve/routes/snippet.js", "utf8"));
(async () => {
  const found = await (async () => { %s })();
  console.log(JSON.stringify({ found, warnings, address: tidegate.address, names: Object.keys(window).filter((name) => name === "warn") }));
})();
"""


@pytest.fixture
def run(root):
    """What a script gives, and what the console says."""

    def ask(address, script, row=None):
        command = [NODE, "-e", PAGE % script, json.dumps(address), json.dumps(row)]
        options = {"cwd": root, "capture_output": True, "text": True, "timeout": 60}
        return json.loads(subprocess.run(command, check=True, **options).stdout)

    return ask


def answering(status, body):
    """A server that answers everything with *body*."""

    class Other(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return HTTPServer(("127.0.0.1", 0), Other)


def test_an_answer_says_nothing_in_the_console(run, app, row, bundles, kept):
    """The score, then the outcome, also where the page's address of the scorer lacks its last slash."""
    script = "tidegate.address = address; const answer = await tidegate.score(row, {timeout: 20000});"
    script += "return [answer, await tidegate.outcome(answer.id, 'yes')]"
    with listening(make_server("127.0.0.1", 0, app)) as address:
        result = run(address, script, row)

    assert result["warnings"] == []
    assert (result["found"][0]["version"], result["found"][1]) == (bundles[0].name, True)
    assert [line["id"] for line in kept("outcomes")] == [result["found"][0]["id"]]


REFUSED = "const ask = (body) => tidegate.score(body, {fallback: 0.1, timeout: 20000});"


def test_a_refusal_is_said_with_its_status_and_first_problem(run, app, row):
    """Once, however often it happens."""
    script = f"{REFUSED} await ask({{...row, pages: 'a'}}); return ask({{...row, pages: 'b'}})"
    with listening(make_server("127.0.0.1", 0, app)) as address:
        result = run(address, script, row)

    first = "refused with status 422: pages: expected a number of at least 0 (pages), got "
    assert result["found"] == {"id": None, "score": 0.1, "fallback": True, "why": first + "'b'"}
    assert result["warnings"] == [f"tidegate: the score is the fallback 0.1: {first}'a'"]


def test_a_missing_token_is_said(run, store, journal, bundles, tmp_path, row):
    """An error without a list of problems has its sentence; an outcome's is said as well."""
    store.serve(bundles[0])
    (tmp_path / "tokens").write_text("a-token-for-the-website")
    settings = Settings(store=store.folder, journal=journal, tokens=tmp_path / "tokens")
    app = create_app(store.folder, journal, settings=settings, follow_every=None)
    with listening(make_server("127.0.0.1", 0, app)) as address:
        result = run(address, f"{REFUSED} await ask(row); return tidegate.outcome('x', 'yes')", row)
        sent = run(address, "return tidegate.outcome('x', 'yes')", row)

    assert result["found"] is sent["found"] is False
    (said,) = result["warnings"]
    assert "refused with status 401: the token is missing" in said
    assert sent["warnings"][0].startswith("tidegate: an outcome was not taken: refused with status 401")


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (502, b"<html>Bad Gateway</html>", "status 502, and not the scorer's JSON: <html>Bad Gateway"),
        (200, b"<html>Welcome</html>", "status 200, and not the scorer's JSON: <html>Welcome"),
        (200, b"{}", "the answer has no score"),
        (200, b"null", "the answer has no score"),
        (413, b"{}", "refused with status 413"),
    ],
)
def test_an_answer_that_is_not_the_scorers_is_a_fallback(run, status, body, why):
    """A proxy's page, or a server of another kind."""
    with listening(answering(status, body)) as address:
        result = run(address, f"{REFUSED} return ask({{}})")

    assert (result["found"]["score"], result["found"]["fallback"]) == (0.1, True)
    assert result["found"]["why"].startswith(why)
    assert len(result["warnings"]) == 1


def test_silence_and_no_connection_are_said_apart(run):
    """Each once: a server that accepts and says nothing, then none."""
    script = "const ask = () => tidegate.score({}, {fallback: 1, timeout: 200});"
    script += "await ask(); await ask(); tidegate.address = row; await ask(); return ask();"
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))  # and does not listen
        addresses = [f"http://127.0.0.1:{one.getsockname()[1]}" for one in (silent, gone)]
        result = run(addresses[0], script, addresses[1])

    late, network = result["warnings"]
    assert late == "tidegate: the score is the fallback 1: no answer within 200 ms"
    assert f"no connection to {addresses[1]}, or CORS (--origins) or a policy forbids it" in network
    assert result["found"]["fallback"] is True


@pytest.mark.parametrize(
    "call",
    [
        "{}, null",
        "{n: 1n}",
        "{}, {timeout: 'soon'}",
        "{}, {timeout: -1}",
        "(() => {const a = {}; a.a = a; return a})()",
    ],
)
def test_a_call_that_is_wrong_is_a_fallback_too(run, call):
    """No options, what is not JSON, no time: a page never fails with the snippet."""
    with listening(answering(500, b"{}")) as address:
        result = run(address, f"return tidegate.score({call})")

    assert result["found"]["fallback"] is True
    assert len(result["warnings"]) == 1


def test_the_address_is_the_folder_of_the_file_without_a_password(run):
    """Behind a path prefix, and where the page was opened with a name and a password."""
    result = run("http://me:secret@shop.example/model", "return 1")

    assert result["address"] == "http://shop.example/model/"
    assert result["names"] == []

"""Behind a real nginx that shows the scorer under a path, as `location /model/` does."""

import json
import shlex
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from contextlib import contextmanager
from urllib.parse import urljoin

import pytest

from serve.app import create_app
from serve.settings import Settings
from tests.chromium import chromium, needs_chromium, wait_for
from tests.serve.test_browser import served
from tests.serve.test_status_page import Page

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
pytestmark = [pytest.mark.skipif(not NGINX, reason="nginx is not installed; apt-get install nginx"), pytest.mark.slow]
#: One process with all its files in a folder; the paths are as people write them.
CONFIGURATION = """
daemon off; master_process off; pid {folder}/pid; error_log stderr crit;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port};
    location /model/ {{ proxy_pass {scorer}/; }}
    location /named/ {{
      proxy_pass {scorer}/;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Prefix /named;
      proxy_set_header X-Forwarded-Proto $scheme;
    }}
    location = /bare {{ proxy_pass {scorer}/; proxy_set_header X-Forwarded-Prefix /bare; }}
    location /bare/ {{ proxy_pass {scorer}/; proxy_set_header X-Forwarded-Prefix /bare; }}
  }}
}}
"""
PLACES = ("/model/", "/named/", "/bare")


@contextmanager
def behind(app, folder):
    """The address of an nginx in front of *app*."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with served(app) as scorer:
        text = CONFIGURATION.format(folder=folder, port=port, scorer=scorer)
        (folder / "nginx.conf").write_text(text)
        command = [NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", "stderr"]
        with subprocess.Popen(command) as process:
            try:
                wait_for(f"http://127.0.0.1:{port}/model/health")
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()


@pytest.fixture
def proxy(app, tmp_path):
    with behind(app, tmp_path) as address:
        yield address


def read(address, body=None):
    """The status, the address after redirects, and the text of an answer."""
    asked = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return answer.status, answer.url, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.url, error.read().decode()


@pytest.mark.parametrize("place", [*PLACES, "/model"])
def test_every_link_of_the_pages_is_answered(proxy, place):
    """Style, scripts and pages; also from the path without its last slash."""
    for page in ("", "example.html"):
        if page and not place.endswith("/"):
            continue
        _, address, text = read(proxy + place + page)
        elements = Page(text).all("a", "link", "script")
        links = [each.get("href", each.get("src")) for each in elements]
        assert {"page.css"} <= {link.rpartition("/")[2] for link in links}
        for link in links:
            if not link.startswith(("data:", "#")):
                assert read(urljoin(address, link))[0] == 200, link


@pytest.mark.parametrize("place", PLACES)
def test_the_description_leads_to_the_routes(proxy, place, row):
    """A client joins the server's address, relative to the description's, and the path."""
    _, address, text = read(proxy + place.rstrip("/") + "/openapi.json")
    (server,) = json.loads(text)["servers"]
    route = urljoin(address, server["url"]).rstrip("/") + "/score"

    assert route == proxy + place.rstrip("/") + "/score"
    assert read(route, json.dumps(row).encode())[0] == 200


def test_a_wrong_path_stays_under_the_prefix(proxy):
    """No redirect leaves it."""
    for path in ("/named/score/", "/named/none", "/named/v2//models"):
        assert read(proxy + path)[:2] == (404, proxy + path)


@needs_chromium
@pytest.mark.parametrize("place", PLACES)
def test_the_page_is_styled_and_scores(proxy, place, tmp_path, bundles):
    """One click; the line for a shell has the address that the browser uses."""
    with chromium(tmp_path / "profile") as browser:
        browser.open(proxy + place)
        browser.run("document.querySelector('button[type=submit]').click()")
        answer = browser.until("return document.querySelector('#answer dl')?.innerText")
        line = browser.run("return document.getElementById('curl-line').textContent")
        browser.run("await refresh()")

        assert bundles[0].name in answer
        assert browser.run("return document.getElementById('stale').textContent") == ""
        styled = "return getComputedStyle(document.querySelector('section')).borderTopStyle"
        assert browser.run(styled) == "solid"
        words = shlex.split(line.replace("\\\n", " "))
        assert words[1] == proxy + place.rstrip("/") + "/score"
        assert read(words[1], words[-1].encode())[0] == 200
        assert browser.complaints() == []

        browser.open(proxy + place.rstrip("/") + "/example.html?timeout=20000")
        browser.until("return document.getElementById('json').value !== '{}'")
        browser.run("document.querySelector('button[type=submit]').click()")
        answer = browser.until("return document.querySelector('#result.good')?.textContent")
        assert answer.endswith(f"from {bundles[0].name}")


@needs_chromium
def test_a_browser_logs_in_under_the_prefix(store, journal, clock, bundles, tmp_path):
    """Its password is for looking on; the row's token is typed into the form."""
    store.serve(bundles[0])
    asking, watching = "token-for-asking-rows", "token-for-looking-on"
    (tmp_path / "asking").write_text(asking)
    (tmp_path / "watching").write_text(watching)
    settings = Settings(
        store=store.folder, journal=journal, tokens=tmp_path / "asking", watch_tokens=tmp_path / "watching"
    )
    app = create_app(store.folder, journal, settings=settings, follow_every=None, clock=clock)
    with behind(app, tmp_path) as address, chromium(tmp_path / "profile") as browser:
        browser.open(address.replace("//", f"//me:{watching}@") + "/model/")
        browser.run("document.getElementById('token').value = arguments[0]", asking)
        browser.run("document.querySelector('button[type=submit]').click()")
        answer = browser.until("return document.querySelector('#answer dl')?.innerText")
        browser.run("await refresh()")

        assert bundles[0].name in answer
        assert browser.run("return document.getElementById('stale').textContent") == ""
        assert watching not in browser.run("return document.body.innerText")

"""The site of docs/ is built without a warning, and its pages load nothing from another host."""

import os
import re
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.chromium import chromium, needs_chromium

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MKDOCS = ROOT / ".venv/docs/bin/mkdocs"
#: What a browser loads with a page; an <a> is only a link.
LOADED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=[\"']?((?:https?:)?//[^\"' >]+)")


def build(config, site):
    return subprocess.run(
        [MKDOCS, "build", "--strict", "--config-file", config, "--site-dir", site],
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path):
    """A copy of the site's sources, to be broken."""
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    return tmp_path


def test_the_site_is_built_and_loads_nothing_from_another_host(tmp_path):
    """It can be read without a network: no font, script or picture comes from a CDN."""
    built = build(ROOT / "mkdocs.yml", tmp_path)

    assert built.returncode == 0, built.stderr
    pages = {path: path.read_text() for path in tmp_path.rglob("*.html")}
    assert len(pages) == len(list((ROOT / "docs").rglob("*.md"))) + 1  # and 404.html
    assert not (tmp_path / "generate").exists()
    assert {path: LOADED.findall(page) for path, page in pages.items() if LOADED.search(page)} == {}
    assert not [path for path, page in pages.items() if re.search(r'class="[^"]*\bmermaid\b', page)]


BROKEN = {
    "[a page](tutorials/no-such-page.md)": "no-such-page.md",
    "[a heading](index.md#no-such-heading)": "no-such-heading",
    "[a file](../README.md)": "../README.md",
    "[a path](/reference/)": "absolute link",
    "[a folder](reference/)": "unrecognized relative link",
    "![a picture](pictures/no-such-picture.svg)": "no-such-picture.svg",
}


def test_a_broken_link_fails_the_build(project):
    """The build lists each broken link, as a warning that counts as an error."""
    with (project / "docs/index.md").open("a") as page:
        page.write("".join(f"\n{text}\n" for text in BROKEN))

    built = build(project / "mkdocs.yml", project / "site")

    assert built.returncode == 1
    warnings = [line for line in built.stderr.splitlines() if line.startswith("WARNING")]
    assert [message for message in BROKEN.values() if not any(message in line for line in warnings)] == []


def test_sections_are_in_the_order_of_a_reader(project):
    """Whatever pages they have; a new page is in the navigation without being listed."""
    folders = ["tutorials", "how-to", "reference", "explanation"]
    for folder in folders:
        (project / f"docs/{folder}").mkdir(exist_ok=True)
        (project / f"docs/{folder}/a-new-page.md").write_text(f"# A new page of {folder}\n")

    built = build(project / "mkdocs.yml", project / "site")

    assert built.returncode == 0, built.stderr
    page = (project / "site/index.html").read_text()
    assert all(
        f"A new page of {folder}" in (project / f"site/{folder}/a-new-page/index.html").read_text()
        for folder in folders
    )
    tabs = re.findall(r'<a href="([\w-]+)/[^"]*" class="md-tabs__link', page)
    assert tabs == folders


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and logs nothing."""

    def log_message(self, *_):
        pass


@needs_chromium
def test_a_page_is_searched_and_read_without_another_host(tmp_path):
    """What its scripts load, too; it fits a phone, light and dark."""
    site = tmp_path / "site"
    assert build(ROOT / "mkdocs.yml", site).returncode == 0
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server,
        chromium(tmp_path / "profile") as browser,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        backgrounds = set()
        for scheme in ("light", "dark"):
            browser.look("phone", scheme)
            browser.open(f"{address}/reference/thresholds/")
            assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
            backgrounds.add(browser.run("return getComputedStyle(document.body).backgroundColor"))
        browser.look("desktop")
        browser.open(address)
        browser.run(
            "const field = document.querySelector('.md-search__input'); field.focus(); field.value = 'drift';"
            " field.dispatchEvent(new Event('keyup'))"
        )
        browser.until("return document.querySelector('.md-search-result__item')")
        loaded = browser.run("return performance.getEntriesByType('resource').map((each) => each.name)")
        complaints = browser.complaints()
        server.shutdown()

    assert len(backgrounds) == 2
    assert [name for name in loaded if not name.startswith(address)] == []
    assert complaints == []

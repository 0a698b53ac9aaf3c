"""The status page as it is sent: what is live, what is refused, a form from the contract, escaped."""

import json
import re
import shlex
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from contracts.bundle_content import content_digest
from contracts.row_contract import Contract
from serve.app import create_app
from serve.routes.status_page import POLICY
from serve.settings import Settings

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}"


class Page(HTMLParser):
    """The elements of a page, each tag with its attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words = [], []
        self.feed(text)
        self.text = " ".join(self.words)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data.split()

    def all(self, *tags):
        return [attributes for tag, attributes in self.elements if tag in tags]


def page(client):
    return Page(client.get("/").text)


def test_it_says_what_is_live_and_since_when(client, bundles):
    """Release, share, age."""
    found = page(client)

    assert bundles[0].name in found.text
    assert "champion 100%" in found.text
    assert "since 2026-03-01 12:00:00 UTC" in found.text
    assert "Made 9 days ago" in found.text


@pytest.mark.parametrize(
    ("said", "root"), [("", ""), ("/model", "/model/"), ("/model/", "/model/"), ("//evil", ""), ("/a, /b", "")]
)
def test_links_stay_under_the_path_that_a_proxy_adds(client, said, root):
    """Relative, or with the prefix that is named: a page at /model, without its last slash, has its style."""
    found = Page(client.get("/", headers={"X-Forwarded-Prefix": said}).text)
    links = [each.get("href", each.get("src")) for each in found.all("a", "link", "script")]

    assert sorted(links) == sorted(
        ["#try", "data:,"]
        + [root + name for name in ("example.html", "metrics", "openapi.json", "page.css", "page.js", "ready")]
    )
    for name, value in [pair for _, attributes in found.elements for pair in attributes.items()]:
        assert name not in ("href", "src", "action") or value[:2] != "//"


def test_categories_of_a_private_field_are_not_offered(store, journal, clock, bundles, tmp_path):
    """They are words about people; the form takes any that are typed."""
    manifest = json.loads((bundles[0] / "manifest.json").read_text())
    manifest["contract"]["private"].append("country")
    store.serve(copied(bundles[0], tmp_path, manifest))
    client = create_app(store.folder, journal, follow_every=None, clock=clock).test_client()
    found = page(client)

    assert "AT" not in [each.get("value") for each in found.all("option")]
    (country,) = [each for each in found.all("input") if each.get("name") == "country"]
    assert (country["value"], "list" in country) == ("x", False)


def test_the_line_for_a_shell_is_in_the_page(client, row):
    """Without a script too; it has the address that the client sees, and scores the row in the form."""
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example", "X-Forwarded-Prefix": "/model"}
    for headers, address in (({}, "http://localhost"), (said, "https://shop.example/model")):
        text = client.get("/", headers=headers).text
        line = unescape(re.sub("<[^>]*>", "", text[text.index("curl <") : text.index("</pre>")]))
        words = shlex.split(line.replace("\\\n", " "))

        assert words[:2] == ["curl", address + "/score"]
        assert client.post("/score", data=words[-1]).status_code == 200


def test_what_the_journal_lost_is_said(client, app):
    """How much and why; also that nothing was."""
    assert "The journal lost nothing." in page(client).text
    journal = app.extensions["tidegate"].journal
    journal.lost, journal.why = 1_234, "No space left on device"
    journal.changed()
    found = page(client)

    assert "The journal lost 1,234 lines. No space left on device" in found.text
    assert "nothing" not in found.text
    assert [each for each in found.all("p") if each.get("role") == "alert"]


def test_why_it_is_not_ready_is_said(app, client, store):
    """A model that was taken off."""
    store.write('champion = "none"\n')
    app.extensions["tidegate"].follower.refresh()

    assert 'Not ready. live.toml says: champion = "none"' in page(client).text


def test_an_experiment_shows_every_arm(client, app, store, bundles):
    """With its share; a shadow no answers."""
    roles = {"champion": "", "challenger": 'mode = "shadow"', "anchor": "share = 0.25"}
    text = ""
    for (role, more), bundle in zip(roles.items(), [bundles[0], bundles[1], bundles[1]], strict=True):
        digest = json.loads((store.put(bundle) / "manifest.json").read_text())["digest"]
        text += f'[{role}]\nversion = "{bundle.name}"\ndigest = "{digest}"\n{more}\n'
    store.write(text)
    app.extensions["tidegate"].follower.refresh()
    found = page(client)

    for words in ("champion 75%", "anchor 25%", "shadow no answers", bundles[1].name):
        assert words in found.text


def test_what_is_refused_is_said_on_top(app, client, store, bundles):
    """The old model goes on."""
    store.serve(bundles[1], digest="sha256:" + "0" * 64)
    app.extensions["tidegate"].follower.refresh()
    found = page(client)

    assert f"Refused: {bundles[1].name}." in found.text
    assert [each for each in found.all("p") if each.get("role") == "alert"]


def test_before_the_first_release_there_is_a_page_without_a_form(store, journal):
    """It says that nothing is live."""
    found = page(create_app(store.folder, journal, follow_every=None).test_client())

    assert "✕ not ready" in found.text
    assert "Nothing is live." in found.text
    assert found.all("form") == []


def test_the_form_asks_what_the_contract_has(client):
    """Each with a label and a hint; choices to choose from, categories seen to pick from."""
    found = page(client)
    fields = {each["name"]: each for each in found.all("input", "select") if "name" in each}
    labels = {each["for"] for each in found.all("label")}
    ids = {attributes["id"] for _, attributes in found.elements if "id" in attributes}

    assert list(fields) == ["country", "campaign", "device", "returning", "age", "pages", "visitor", "at", "id"]
    assert {each["data-kind"] for each in fields.values()} == {"category", "boolean", "number", "text"}
    for each in fields.values():
        assert each["id"] in labels
        assert set(each["aria-describedby"].split()) <= ids
    assert [fields[name]["value"] for name in ("age", "country", "visitor")] == ["60", "DE", ""]
    assert [each["value"] for each in found.all("option") if "selected" in each] == ["phone", "false"]
    assert {each.get("value") for each in found.all("option")} >= {"AT", "DE", "search"}
    assert "a number from 0 to 120 (years)" in found.text


def test_the_form_asks_for_a_token_where_rows_need_one(client, store, journal, tmp_path):
    """And nowhere else."""
    (tmp_path / "tokens").write_text("a-token-for-the-website")
    settings = Settings(store=store.folder, journal=journal, tokens=tmp_path / "tokens")
    app = create_app(store.folder, journal, settings=settings, follow_every=None)

    for asking, fields in ((client, []), (app.test_client(), ["password"])):
        assert [each["type"] for each in page(asking).all("input") if "type" in each] == fields


def test_ids_are_given_once(client, row):
    """Labels and descriptions find what they mean."""
    client.post("/score", json=row)
    ids = [attributes["id"] for _, attributes in page(client).elements if "id" in attributes]

    assert len(ids) == len(set(ids))


def test_no_script_or_style_is_in_the_page_and_none_from_elsewhere(client):
    """The policy forbids it, and the page keeps to it."""
    for path in ("/", "/example.html"):
        answer = client.get(path)
        found = Page(answer.text)

        assert answer.headers["Content-Security-Policy"] == POLICY
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "unsafe" not in POLICY
        assert all(":" not in each["src"] and each["src"][0] != "/" for each in found.all("script"))
        assert found.all("style") == []
        assert {each["href"] for each in found.all("link")} == {"data:,", "page.css"}
        for _, attributes in found.elements:
            assert not [name for name in attributes if name.startswith("on") or name == "style"]


def hostile(bundle, folder):
    """The same bundle with a contract that says hostile words wherever it may."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    contract = manifest["contract"]
    contract["description"] = contract["target"]["description"] = HOSTILE
    contract["name"] = HOSTILE
    for feature in contract["features"]:
        feature["description"] = HOSTILE
        if feature["kind"] == "number":
            feature["unit"] = HOSTILE
        if feature.get("choices"):
            feature["choices"].append(HOSTILE)
    manifest["data"]["categories"]["country"].append(HOSTILE)
    manifest["build"]["commit"] = HOSTILE
    manifest["data"]["window"] = [HOSTILE, HOSTILE]
    assert Contract.from_json(contract)
    return copied(bundle, folder, manifest)


def copied(bundle, folder, manifest):
    """The bundle under *folder* with another manifest, and the digest of that."""
    manifest["digest"] = content_digest(manifest)
    manifest["version"] = manifest["version"][:14] + manifest["digest"][7:19]
    folder = folder / manifest["version"]
    folder.mkdir()
    (folder / "model.onnx").write_bytes((bundle / "model.onnx").read_bytes())
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_hostile_words_in_a_contract_stay_words(store, journal, clock, bundles, tmp_path):
    """Wherever the page shows them."""
    store.serve(hostile(bundles[0], tmp_path))
    client = create_app(store.folder, journal, follow_every=None, clock=clock).test_client()
    found = page(client)

    assert found.all("img") == []
    assert [each["src"] for each in found.all("script")] == ["page.js"]
    assert found.text.count("<script>alert(1)</script>") >= 10
    assert HOSTILE in [each.get("value") for each in found.all("option")]
    assert "49" not in found.text.split()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/snippet.js", "text/javascript; charset=utf-8"),
        ("/example.js", "text/javascript; charset=utf-8"),
        ("/example.html", "text/html; charset=utf-8"),
    ],
)
def test_its_files_are_sent(client, path, kind):
    """Each as what it is; from the folder of the module, and no other file."""
    answer = client.get(path)

    assert (answer.status_code, answer.content_type) == (200, kind)
    assert answer.data == (Path(__file__).parents[2] / "serve/routes" / path[1:]).read_bytes()
    assert client.get("/page.py").status_code == 404

"""What a proxy says of the scorer's address is used if it is one plain value, and else ignored."""

import pytest

from serve.app import create_app
from serve.http.forwarded import address, prefix
from serve.settings import Settings

PREFIXES = {
    "/model": "/model",
    "/model/": "/model",
    "/a/b-c_d~e.f/9": "/a/b-c_d~e.f/9",
    "": "",
    "/": "",
    "model": "",
    "//evil.example": "",
    "/model//x": "",
    "/model//": "",
    "/../x": "",
    "/a/..": "",
    "/a/./b": "",
    "/a, /b": "",
    "/a,/b": "",
    "/a b": "",
    "/a?b": "",
    "/a#b": "",
    "/a%2fb": "",
    "/a\\b": "",
    '/"><script>': "",
    "/{{7*7}}": "",
    "/ä": "",
    "/a\n": "",
    "/a\r\nX: y": "",
    "https://evil.example/a": "",
    "/a@b": "",
    "/a:b": "",
    "/" + "a" * 300: "",
}


@pytest.mark.parametrize("said", PREFIXES)
def test_a_prefix_is_a_path_of_plain_characters(said):
    """Neither another host, nor a way up, nor markup, nor several."""
    assert prefix({"X-Forwarded-Prefix": said}) == PREFIXES[said]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Host": "scorer:8000"}, "http://scorer:8000"),
        ({"Host": "[::1]:8000"}, "http://[::1]:8000"),
        ({}, "http://localhost"),
        ({"Host": "a'; rm -rf ~ #"}, "http://localhost"),
        (
            {
                "Host": "scorer",
                "X-Forwarded-Host": "shop.example",
                "X-Forwarded-Proto": "https",
                "X-Forwarded-Prefix": "/model/",
            },
            "https://shop.example/model",
        ),
        ({"Host": "scorer", "X-Forwarded-Host": "a.example, b.example"}, "http://scorer"),
        ({"Host": "scorer", "X-Forwarded-Host": "evil/path"}, "http://scorer"),
        ({"Host": "scorer", "X-Forwarded-Host": "me:pw@evil"}, "http://scorer"),
        ({"Host": "scorer", "X-Forwarded-Proto": "javascript"}, "http://scorer"),
        ({"Host": "scorer", "X-Forwarded-Proto": "https, http"}, "http://scorer"),
        ({"Host": "scorer", "X-Forwarded-Prefix": "//evil"}, "http://scorer"),
    ],
)
def test_an_address_is_made_of_plain_values(headers, expected):
    """What is not plain is as if it were not said."""
    assert address(headers, "http") == expected


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/score/", 404),
        ("/v2//models/buys", 404),
        ("/page.css/", 404),
        ("/ready//", 404),
        ("//ready", 200),
        ("//", 200),
    ],
)
def test_no_path_is_answered_with_a_redirect(client, path, status):
    """A proxy's prefix would be lost in it."""
    answer = client.get("/", environ_overrides={"PATH_INFO": path})

    assert answer.status_code == status
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("said", "server"),
    [({}, "."), ({"X-Forwarded-Prefix": "/model"}, "/model"), ({"X-Forwarded-Prefix": "//evil"}, ".")],
)
def test_the_description_is_relative_to_its_own_address(client, said, server):
    """Or begins with the prefix, where that is known."""
    assert client.get("/openapi.json", headers=said).json["servers"] == [{"url": server}]


def test_scorers_under_one_host_have_passwords_of_their_own(store, journal, tmp_path):
    """A browser keeps one for each realm."""
    (tmp_path / "tokens").write_text("token-for-looking-on")
    settings = Settings(store=store.folder, journal=journal, watch_tokens=tmp_path / "tokens")
    client = create_app(store.folder, journal, settings=settings, follow_every=None).test_client()
    realms = [
        client.get("/", headers={"X-Forwarded-Prefix": said}).headers["WWW-Authenticate"]
        for said in ("/a", "/b", '/"x')
    ]

    assert [realm.split('"')[1] for realm in realms] == ["Tidegate /a", "Tidegate /b", "Tidegate"]

"""node's fetch, the JDK's HttpClient and curl, each as people use it."""

import gzip
import json
import zlib
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def body(row):
    return json.dumps(row)


def test_fetch_of_node(run, address, body, row, scores):
    """With a length, in pieces, and compressed."""
    output = json.loads(run("node", HERE / "fetch.mjs", address, body))
    status, refused = output.pop("another coding")

    assert {status for status, _ in output.values()} == {200}
    assert {answer["score"] for _, answer in output.values()} == set(scores([row]))
    assert status == 415
    assert "br" in refused["error"]


@pytest.mark.parametrize("version", ["HTTP_1_1", "HTTP_2"])
def test_http_client_of_the_jdk(run, address, body, row, scores, version):
    """HTTP/1.1, and its default, which asks to upgrade to HTTP/2."""
    output = run("java", HERE / "Ask.java", address, body, version).decode().splitlines()
    lines = [line.split("\t") for line in output]

    assert [name for name, *_ in lines] == ["first", "again", "chunked", "gzip"]
    assert {status for _, status, _ in lines} == {"200"}
    assert {json.loads(answer)["score"] for *_, answer in lines} == set(scores([row]))


PACKED = ["-H", "Content-Encoding: gzip"]


@pytest.mark.parametrize(
    ("words", "pack"),
    [
        ([], bytes),
        (["-H", "Content-Type: application/json"], bytes),
        (["--compressed"], bytes),
        (["-H", "Expect: 100-continue"], bytes),
        (["-H", "Transfer-Encoding: chunked"], bytes),
        (["--http1.0"], bytes),
        (["--http2"], bytes),
        (["--http2", "-H", "Transfer-Encoding: chunked"], bytes),
        (PACKED, gzip.compress),
        ([*PACKED, "--compressed", "-H", "Transfer-Encoding: chunked"], gzip.compress),
        (["--http2", *PACKED], gzip.compress),
        (["-H", "Content-Encoding: deflate"], zlib.compress),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_curl(run, address, body, row, scores, words, pack):
    """By each way of saying how long the body is, and how it is packed."""
    output = run(
        "curl",
        "--silent",
        "--show-error",
        "--max-time",
        "20",
        *words,
        "--data-binary",
        "@-",
        f"{address}/score",
        content=pack(body.encode()),
    )

    assert json.loads(output)["score"] == scores([row])[0]

"""Bodies that are compressed: read like those that are not, within the same limit."""

import gzip
import json
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.app import create_app
from serve.http.content_coding import CODINGS, MAX_MEMBERS, unpack
from serve.scoring.validation import RequestError
from serve.settings import Settings

INFER = "/v2/models/buys/infer"
MOST = 100_000


def bare(content):
    squeeze = zlib.compressobj(wbits=-15)
    return squeeze.compress(content) + squeeze.flush()


PACKED = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("GZip", gzip.compress),
    ("identity, gzip", gzip.compress),
    ("gzip", lambda content: gzip.compress(content[:9]) + gzip.compress(content[9:])),
    ("deflate", zlib.compress),
    ("deflate", lambda content: zlib.compress(content, 0)),
    ("Deflate", bare),
    ("identity", bytes),
    ("", bytes),
]
IDS = [f"{coding or 'none'} {number}" for number, (coding, _) in enumerate(PACKED)]


@pytest.mark.parametrize(("coding", "pack"), PACKED, ids=IDS)
def test_every_route_reads_a_compressed_body(client, row, coding, pack):
    """As clients send them: Triton's, Java's, and those behind a proxy that compresses."""
    tensors = [
        {"name": name, "datatype": kind, "shape": [1], "data": [row[name]]}
        for name, kind in [
            ("country", "BYTES"),
            ("campaign", "BYTES"),
            ("device", "BYTES"),
            ("returning", "BOOL"),
            ("age", "FP64"),
            ("pages", "FP64"),
        ]
    ]
    expected = client.post("/score", json=row).json["score"]
    for path, body in (
        ("/score", row),
        ("/outcome", {"id": "a", "outcome": "yes"}),
        ("/invocations", {"instances": [row]}),
        (INFER, {"inputs": tensors}),
    ):
        answer = client.post(path, data=pack(json.dumps(body).encode()), headers={"Content-Encoding": coding})
        assert answer.status_code in (200, 202), answer.text
        assert path == "/outcome" or str(expected) in answer.text


@given(st.binary(max_size=500), st.sampled_from(PACKED))
def test_what_was_packed_is_unpacked(content, packed):
    """Whatever the bytes are."""
    coding, pack = packed
    assert unpack(pack(content), coding, MOST) == content


@pytest.mark.parametrize("path", ["/score", "/outcome", "/invocations", INFER])
@pytest.mark.parametrize(
    "coding", ["br", "zstd", "compress", "gzip, gzip", "gzip, br", "deflate,gzip", "aws-chunked", "*"]
)
def test_other_codings_and_several_are_refused_by_name(client, path, coding):
    """With the header that says which are read (RFC 7694)."""
    answer = client.post(path, data=b"{}", headers={"Content-Encoding": coding})

    assert answer.status_code == 415
    assert coding.split(",")[0] in answer.json["error"]
    assert answer.headers["Accept-Encoding"] == CODINGS


def test_a_kind_of_body_that_is_not_read_is_not_about_codings(client):
    """RFC 7694 forbids the header there."""
    answer = client.post("/score", data=b"a=b", content_type="application/x-www-form-urlencoded")

    assert answer.status_code == 415
    assert "Accept-Encoding" not in answer.headers


DAMAGED = [
    ("gzip", b"", "cut off"),
    ("deflate", b"", "cut off"),
    ("gzip", b"{}", "is not gzip"),
    ("deflate", b"\xff\xff", "is not deflate"),
    ("gzip", gzip.compress(b"{}")[:-1], "cut off"),
    ("gzip", gzip.compress(b"{}")[:-8], "cut off"),
    ("gzip", gzip.compress(b"{}") + b"more", "is not gzip"),
    ("gzip", gzip.compress(b"{}") + b"\x1f", "cut off"),
    ("gzip", gzip.compress(b"{}")[:-8] + b"\0" * 8, "is not gzip"),
    ("gzip", gzip.compress(b"") * (MAX_MEMBERS + 1), "goes on after its end"),
    ("deflate", zlib.compress(b"{}") + b"more", "goes on after its end"),
    ("deflate", zlib.compress(b"{}")[:-1], "cut off"),
    ("deflate", bare(b"{}")[:-1], "cut off"),
    ("deflate", gzip.compress(b"{}"), "is not deflate"),
]


@pytest.mark.parametrize(("coding", "body", "words"), DAMAGED, ids=map(str, range(len(DAMAGED))))
def test_a_damaged_body_is_refused(client, coding, body, words):
    """Cut off, garbage, a wrong checksum, something after the end."""
    answer = client.post("/score", data=body, headers={"Content-Encoding": coding})

    assert answer.status_code == 400
    assert words in answer.json["error"]


@pytest.mark.parametrize(("coding", "pack"), PACKED[:-2], ids=IDS[:-2])
def test_the_limit_is_that_of_the_unpacked_body(coding, pack):
    """Not a byte more is taken."""
    assert len(unpack(pack(b" " * MOST), coding, MOST)) == MOST
    with pytest.raises(RequestError, match=r"larger than 100,000 bytes when unpacked") as caught:
        unpack(pack(b" " * (MOST + 1)), coding, MOST)
    assert caught.value.status == 413


def test_a_bomb_is_unpacked_only_as_far_as_the_limit(client):
    """A gigabyte in a megabyte, and in many members: no more memory than the limit is used."""

    squeeze = zlib.compressobj(9, wbits=31)
    bomb = b"".join([squeeze.compress(bytes(2**20)) for _ in range(64)]) + squeeze.flush()
    tracemalloc.start()
    try:
        answer = client.post("/score", data=bomb, headers={"Content-Encoding": "gzip"})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert answer.status_code == 413
    assert peak < 8 * Settings.largest_body


def test_the_limit_is_a_setting(store, bundles, journal, row):
    """The same one as for bodies that are not compressed."""
    store.serve(bundles[0])
    settings = Settings(store=store.folder, journal=journal, largest_body=1_000)
    app = create_app(store.folder, journal, settings=settings, follow_every=None)
    body = gzip.compress(json.dumps([row] * 100).encode())

    assert len(body) < 1_000
    answer = app.test_client().post("/score", data=body, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    assert "1,000 bytes when unpacked" in answer.json["error"]

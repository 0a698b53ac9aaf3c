"""The hot path answers byte for byte what the Flask view answers, and leaves to it what is not plain."""

import asyncio
import json
import shutil

import pytest

from serve.app import create_app
from serve.http.hot_path import MAX_BODY, HotPath
from serve.scoring.validation import RequestError
from serve.settings import Settings

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TOKEN = "a token that nobody guesses"
GOOD = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}


def hot(app, *asked):
    """What the hot path answers to each (body, headers), all asked in one turn of a loop."""
    path = HotPath(app.extensions["tidegate"], app.extensions["tidegate.access"])

    async def answers():
        return await asyncio.gather(*(path.answer(headers, body) for body, headers in asked))

    return asyncio.run(answers())


@pytest.fixture
def both(store, journal, clock, bundles, tmp_path):
    """Two applications, each with its journal."""
    store.serve(bundles[0])
    tokens = tmp_path / "tokens"
    tokens.write_text(TOKEN)
    found = []
    for name in ("one", "two"):
        settings = Settings(
            store=store.folder, journal=journal / name, tokens=tokens, origins=("https://shop.example",)
        )
        found.append(create_app(store.folder, journal / name, settings=settings, follow_every=None, clock=clock))
    return found


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({}, {}),
        ({}, {"traceparent": TRACE}),
        ({}, {"traceparent": "00-nothing"}),
        ({}, {"origin": "https://shop.example"}),
        ({}, {"origin": "https://other.example", "traceparent": TRACE}),
        ({}, {"content-type": "text/plain"}),
        ({"country": "Ö\u2028"}, {}),
        ({"age": None}, {}),
    ],
    ids=str,
)
def test_the_same_bytes_and_the_same_line(both, row, journal, change, more):
    """Headers and body; of ids, those that the row brings."""
    body = json.dumps(row | {"id": "order-7"} | change, ensure_ascii=False).encode()
    flask = both[0].test_client().post("/score", data=body, headers=GOOD | more)
    ((lines, content),) = hot(both[1], (body, GOOD | more))

    assert content == flask.data
    theirs = {name.lower(): value for name, value in flask.headers if name != "Content-Length"}
    assert {name.lower(): value for name, value in lines} == theirs
    kept = [
        [
            json.loads(line) | {"key": "hashed with another salt"}
            for path in (journal / name).glob("answers-*")
            for line in path.read_text().strip().split("\n")
        ]
        for name in ("one", "two")
    ]
    assert kept[0] == kept[1]
    assert len(kept[0]) == 1


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({}, {"authorization": "Bearer wrong"}),
        ({}, {"authorization": ""}),
        ({}, {"origin": "https://shop.example", "content-type": "text/plain"}),
        ({}, {"content-encoding": "gzip"}),
        ({"age": 300}, {}),
        ({"pages": "3"}, {}),
        ({"new": {"a": 1}}, {}),
        ({"at": "yesterday", "visitor": 3}, {}),
        ({"campaign": "\ud800"}, {}),
        ({"visitor": "v" * MAX_BODY}, {}),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_not_plain_is_left_to_flask(both, row, journal, change, more):
    """Nothing is counted or kept here that Flask counts and keeps."""
    body = json.dumps(row | {"id": "order-7"} | change).encode()

    assert hot(both[1], (body, GOOD | more)) == [None]
    assert not list((journal / "two").glob("answers-*"))


@pytest.mark.parametrize("body", [b"{", b"[]", b"7", b"\xff", b"[" * 1000, b" " * 70_000])
def test_and_what_is_no_row(both, body):
    """Flask says what is wrong with it, or that there is nothing in it."""
    found = hot(both[1], (body, GOOD))[0]
    assert found is None or found[1] == b"[]\n"


def test_requests_of_one_turn_get_the_bits_that_each_would_get_alone(both, row):
    """With a list, and with one that Flask must answer, among them."""
    bodies = [json.dumps(row | {"id": f"order-{n}", "age": n}).encode() for n in range(40)]
    bodies[7] = b"{}"
    bodies[9] = json.dumps([row | {"id": "a"}, row | {"id": "b"}]).encode()
    together = hot(both[0], *[(body, GOOD) for body in bodies])
    alone = [hot(both[1], (body, GOOD))[0] for body in bodies]

    assert together == alone
    assert [n for n, found in enumerate(together) if found is None] == [7]


def test_what_the_hot_path_answers_is_counted_once(both, row):
    """Refusals are counted by whoever sends them; no request is in progress afterwards."""
    metrics = both[0].extensions["tidegate"].metrics
    bodies = [json.dumps(row).encode(), b"{}", json.dumps([row, row]).encode()]
    hot(both[0], *[(body, GOOD) for body in bodies])
    numbers = {sample.name: sample.value for metric in metrics.collect() for sample in metric.samples}

    assert metrics.served().requests == {("/score", "200"): 2}
    assert numbers["tidegate_requests_in_progress"] == 0


def test_an_answer_that_cannot_be_kept_is_tried_once(store, journal, bundles, row):
    """It would be counted as lost twice."""
    store.serve(bundles[0])
    settings = Settings(store=store.folder, journal=journal, journal_policy="refuse")
    app = create_app(store.folder, journal, settings=settings, follow_every=None)
    shutil.rmtree(journal, ignore_errors=True)
    journal.write_text("no folder")

    with pytest.raises(RequestError) as found:
        hot(app, (json.dumps(row).encode(), {}))
    assert found.value.status == 503
    assert app.extensions["tidegate"].journal.lost == 1

"""A list of rows is scored, journalled and counted by columns as it is by rows, to the byte."""

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundles.bundle import Bundle
from serve.journal.writer import Journal
from serve.release.follower import Follower
from serve.scoring.row_table import Table
from serve.scoring.scorer import Scorer
from serve.scoring.validation import RequestError
from tests.serve.test_scorer import TRACE, Counts, scores

WITH_CORE = Path(__file__).parents[1] / "bundles/with-core"
BASE = {"country": "AT", "device": "phone", "pages": 3}
#: What a row may also say: missing values of every kind, ids, keys and times, and odd spellings.
MORE = {
    "country": st.sampled_from(["AT", "CH", "ünseen"]),
    "returning": st.sampled_from([True, False, None]),
    "campaign": st.sampled_from(["search", "never seen", None]),
    "age": st.sampled_from([41, 41.0, 0.1 + 0.2, 1e2, None]),
    "visitor": st.sampled_from(["v1", "v2", None]),
    "at": st.sampled_from(["2026-03-01T11:00:00Z", "2026-03-01T12:00:00+01:00", "2026-03-01", None]),
}


@pytest.fixture(params=["binary", "multiclass", "regression"], scope="module")
def cored(request):
    return next((WITH_CORE / request.param).iterdir())


@pytest.fixture(scope="module")
def binary():
    return next((WITH_CORE / "binary").iterdir())


@pytest.fixture
def make(store, journal, clock):
    """A scorer of a bundle, whose contract *change* changes."""

    def make(folder, core=True, change=lambda contract: contract):
        store.serve(folder)

        def load(place, digest):
            bundle = Bundle.load(place, digest, core=core)
            return replace(bundle, contract=change(bundle.contract))

        follower = Follower(store.folder, clock, load=load)
        follower.refresh()
        return Scorer(follower, Journal(journal, clock), clock, Counts())

    return make


@pytest.fixture(params=[True, False], ids=["core", "full"])
def scorer(make, cored, request):
    return make(cored, request.param)


def journalled(scorer):
    """What the journal holds, as bytes."""
    return b"".join(path.read_bytes() for path in sorted(scorer.journal.folder.glob("answers-*")))


def both(scorer, rows, trace=""):
    """Response, journal's bytes, and what is counted: by columns, and by rows."""
    contract = scorer.follower.live.bundle.contract
    content = json.dumps(rows, ensure_ascii=False).encode()
    assert type(scorer._read_fast(contract, content)) is Table
    found = []
    for score in (lambda: scorer.score(content, trace), lambda: scorer._respond(contract, rows, trace, contract)):
        before = journalled(scorer)
        response = score()
        lines = journalled(scorer).removeprefix(before)
        found.append((response, lines, scorer.metrics.recorded.pop()))
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(rows=st.lists(st.fixed_dictionaries({}, optional=MORE), min_size=2, max_size=6))
def test_a_list_is_scored_journalled_and_counted_as_its_rows_are(scorer, rows):
    """Whatever is missing, null, unseen or left out."""
    rows = [BASE | row | {"id": f"i{n}"} for n, row in enumerate(rows)]
    by_columns, by_rows = both(scorer, rows)

    assert by_columns == by_rows


@pytest.mark.parametrize("trace", ["", TRACE, "not a trace"])
@pytest.mark.parametrize("private", [(), ("age",), ("visitor",), ("country", "visitor", "pages")])
def test_traces_and_private_fields_are_journalled_as_for_rows(make, binary, private, trace):
    """A private field is in no line, a private key is hashed; a trace is in each."""
    scorer = make(binary, change=lambda contract: replace(contract, private=private))
    rows = [BASE | {"visitor": f"v{n}", "id": f"i{n}", "age": n} for n in range(3)]
    by_columns, by_rows = both(scorer, rows, trace)
    lines = [json.loads(line) for line in by_columns[1].splitlines()]

    assert by_columns == by_rows
    assert [line.get("trace") for line in lines] == [trace if trace == TRACE else None] * 3
    assert not any({*private} & {*line["row"]} for line in lines)
    assert ("v1" in [line["key"] for line in lines]) == ("visitor" not in private)


def test_ids_that_nobody_sent_are_long_random_and_different(make, binary):
    """Nobody can guess another's id, from its own."""
    answers = json.loads(make(binary).score(json.dumps([BASE] * 1000).encode()))
    ids = {answer["id"] for answer in answers}

    assert len(ids) == 1000
    assert {len(id_) for id_ in ids} == {32}
    assert len({id_[:8] for id_ in ids}) > 990
    assert len({id_[-8:] for id_ in ids}) > 990


def test_rows_read_for_another_contract_are_checked_again(make, binary):
    """A release between reading and scoring."""
    scorer = make(binary)
    old = scorer.follower.live.bundle.contract
    table = scorer._read_fast(old, json.dumps([BASE | {"visitor": "v"}, BASE]).encode())
    features = tuple(replace(f, maximum=2) if f.name == "pages" else f for f in old.features)
    champion = scorer.follower.live.champion
    bundle = replace(champion.bundle, contract=replace(old, features=features))
    champion = replace(champion, bundle=bundle, rows=bundle.contract)
    scorer.follower.live = replace(scorer.follower.live, champion=champion)

    with pytest.raises(RequestError) as caught:
        scorer.answer(table, fits=old)
    assert [problem["field"] for problem in caught.value.problems] == ["pages"] * 2


def test_a_table_is_a_sequence_of_rows(make, binary):
    """For the traffic split and the shadow, which go through rows one by one."""
    scorer = make(binary)
    rows = [BASE | {"visitor": f"v{n}"} for n in range(3)]
    content = json.dumps(rows).encode()
    table = scorer._read_fast(scorer.follower.live.bundle.contract, content)

    assert len(table) == 3
    assert [row["visitor"] for row in table] == ["v0", "v1", "v2"]
    assert table[1]["visitor"] == "v1"
    assert "id" not in table[1]


UNFIT = [
    {"n" * 7 + str(n): 1 for n in range(300)},
    [BASE | {f"x{n}": 1} for n in range(100)],
    [BASE | {"age": "old"}] * 200,
    {"pages": "x" * 5000},
    [[]] * 1000,
    [BASE | {"country": 'a "quoted" one'}, BASE],
]


@pytest.mark.parametrize("body", UNFIT, ids=range(len(UNFIT)))
def test_what_is_wrong_is_not_looked_for_where_rows_are_tried(make, binary, body):
    """An event loop hands it to a thread: what refuses a body here does not grow with its errors."""
    scorer = make(binary)
    content = json.dumps(body).encode()
    assert scorer.try_fast([(content, "")]) == [None]  # what is made once is made
    steps = 0

    def count(*_):
        nonlocal steps
        steps += 1
        return count

    sys.settrace(count)
    try:
        found = scorer.try_fast([(content, "")] * 3)
    finally:
        sys.settrace(None)

    assert found == [None] * 3
    assert steps < 200
    assert scorer.metrics.recorded == []


def test_what_fits_is_answered_beside_what_does_not(make, binary):
    """Single rows and lists; with the bytes of `score`, which answers what is unusual, too."""
    scorer = make(binary)
    rows = [BASE | {"id": f"i{n}"} for n in range(4)]
    unusual = rows[3] | {"country": "\\"}
    bodies = [json.dumps(body).encode() for body in (rows[0], {}, rows[1], rows[1:3], unusual, [])]
    asked = [(body, "") for body in bodies]
    found = scorer.try_fast(asked)

    assert [n for n, each in enumerate(found) if each is None] == [1, 4]
    for body, each in zip(bodies, found, strict=True):
        if each is not None:
            assert each == scorer.score(body)
    rest = scores(scorer, asked)
    assert isinstance(rest[1], RequestError)
    assert rest[4] == scorer.score(bodies[4])
    assert [rest[n] for n in (0, 2, 3, 5)] == [found[n] for n in (0, 2, 3, 5)]


def test_where_nothing_is_live_each_body_gets_the_error(store, journal, clock):
    """Without being read."""
    follower = Follower(store.folder, clock, load=partial(Bundle.load))
    found = Scorer(follower, Journal(journal, clock), clock).try_fast([(b"{}", ""), (b"!", "")])

    assert [error.status for error in found] == [503, 503]

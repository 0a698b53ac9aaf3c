"""The one scoring function: whatever fits the contract is scored and kept, all else is refused in words."""

import json
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundles.bundle import Bundle
from contracts.row_contract import MAX_FLOAT32
from serve.app import create_app
from serve.http.trace_context import echo, read_trace
from serve.journal.writer import Journal
from serve.release.follower import Follower
from serve.scoring.scorer import Scorer
from serve.scoring.validation import RequestError
from serve.settings import Settings

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def scorer(app):
    found = app.extensions["tidegate"]
    assert isinstance(found, Scorer)
    return found


class Counts:
    """Records what it is given."""

    def __init__(self):
        self.recorded, self.requests, self.accepted = [], 0, 0

    def answered(self, version, arm, scores, missing, unseen, seconds, requests):
        self.recorded.append((version, arm, list(scores), dict(missing), dict(unseen)))
        self.requests += requests
        assert seconds >= 0

    def outcomes(self, count):
        self.accepted += count

    def losses(self):
        return 0, 0, 1


def scores(scorer, requests):
    """What each of *requests* gets: together where that is possible, else from `score`."""
    found = scorer.try_fast(requests)
    for n, each in enumerate(requests):
        if found[n] is None:
            try:
                found[n] = scorer.score(*each)
            except (RequestError, ArithmeticError) as error:
                found[n] = error
    return found


def value_of(feature):
    """Any value that fits a feature."""
    if feature.kind == "number":
        low = -MAX_FLOAT32 if feature.minimum is None else feature.minimum
        high = MAX_FLOAT32 if feature.maximum is None else feature.maximum
        whole = st.integers(int(max(low, -(10**30))), int(min(high, 10**30)))
        found = st.floats(low, high) | whole
    elif feature.kind == "boolean":
        found = st.booleans()
    elif feature.choices:
        found = st.sampled_from(feature.choices)
    else:
        letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
        found = st.text(letters, min_size=1, max_size=8)
    return found | st.none() if feature.nullable else found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(data=st.data())
def test_any_row_that_the_contract_accepts_is_scored(scorer, data):
    """Through bytes as they come, fast or slow; alone and in a list, with the same score."""
    contract = scorer.follower.live.bundle.contract
    row = data.draw(st.fixed_dictionaries({f.name: value_of(f) for f in contract.features}))
    assert contract.problems(row) == []
    alone = json.loads(scorer.score(json.dumps(row).encode()))
    escaped, _ = json.loads(scorer.score(json.dumps([row, row | {"an extra": [1]}]).encode()))

    assert 0 <= alone["score"] <= 1
    assert escaped["score"] == pytest.approx(alone["score"], abs=1e-6)
    assert scorer.answer([row])[0].score == alone["score"]


ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.just([])
    | st.just({})
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(
    changes=st.dictionaries(
        st.sampled_from(["country", "age", "pages", "device", "returning", "at", "visitor", "agee"]),
        ANYTHING,
        max_size=3,
    ),
    gone=st.sets(st.sampled_from(["country", "pages", "age"]), max_size=2),
)
def test_any_other_row_is_refused_with_each_of_its_problems(scorer, row, changes, gone):
    """Just those that the contract names, and nothing is kept."""
    contract = scorer.follower.live.bundle.contract
    asked = {name: value for name, value in (row | changes).items() if name not in gone}
    expected = {problem.field for problem in contract.problems(asked)}
    body = json.dumps([row, asked]).encode()
    if not expected:
        assert len(json.loads(scorer.score(body))) == 2
        return

    with pytest.raises(RequestError) as caught:
        scorer.score(body)
    assert caught.value.status == 422
    assert {problem["field"] for problem in caught.value.problems} == expected
    assert {problem["row"] for problem in caught.value.problems} == {1}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"age": 1, "age": 2}', "the name 'age' is twice in one object"),
        (b'{"x": {"a": 1, "a": 1}}', "the name 'a' is twice in one object"),
        (b'{"pages": 1e999}', "a number is too large: a float64 holds at most 1.8e308"),
        (b'{"pages": -1e999}', "a number is too large"),
        (b'{"pages": ' + b"9" * 311 + b"}", "311 digits, at most 310"),
        (b'{"pages": NaN}', "NaN is not a JSON number"),
        (b'{"x": ' + b"[" * 40 + b"]" * 40 + b"}", "nested too deeply; 32 levels are taken"),
        (b"[" * 5_000 + b"]" * 5_000, "nested too deeply"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_json_beyond_the_limits_is_refused(scorer, body, words):
    """Before it is looked at as a row."""
    with pytest.raises(RequestError, match="the body is") as caught:
        scorer.score(body)
    assert caught.value.status == 400
    assert words in caught.value.words


def test_just_as_deep_as_is_taken_is_taken(scorer, row):
    """In a field that nobody knows."""
    deep = json.loads("[" * 31 + "]" * 31)

    assert json.loads(scorer.score(json.dumps(row | {"extra": deep}).encode()))["score"]
    with pytest.raises(RequestError, match="nested"):
        scorer.score(json.dumps(row | {"extra": [deep]}).encode())


def test_a_lone_surrogate_is_a_problem_of_its_field(scorer, row):
    """No tensor holds it."""
    with pytest.raises(RequestError) as caught:
        scorer.score(json.dumps(row | {"country": "\ud800"}).encode())
    assert [problem["field"] for problem in caught.value.problems] == ["country"]


def test_every_outcome_is_kept_and_counted(scorer, row, kept):
    """Also a repeated one, and one of an id that another machine answered: the watch joins by id."""
    ids = [*(answer.id for answer in scorer.answer([row, row])), "of-another-machine"]

    assert scorer.record_outcomes([{"id": id_, "outcome": "yes"} for id_ in ids]) == {"accepted": 3}
    assert scorer.record_outcomes([{"id": ids[0], "outcome": "no"}]) == {"accepted": 1}
    assert [line["id"] for line in kept("outcomes")] == [*ids, ids[0]]


def test_a_trace_is_kept_with_its_answer(scorer, row, kept):
    """One that is not valid is not."""
    scorer.score(json.dumps(row).encode(), TRACE)
    scorer.score(json.dumps(row).encode(), "00-0-0-00")

    assert [line.get("trace") for line in kept("answers")] == [TRACE, None]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        TRACE.upper(),
        TRACE + "\n",
        "ff" + TRACE[2:],
        TRACE[:3] + "0" * 32 + TRACE[35:],
        TRACE[:36] + "0" * 16 + TRACE[52:],
        TRACE + "0",
        "ü" * 55,
    ],
)
def test_what_is_no_traceparent_is_neither_kept_nor_echoed(text):
    """Nothing of a request's head goes into an answer's unseen."""
    assert read_trace(text) == ""
    assert echo(text) == []
    assert read_trace(TRACE) == TRACE


def test_what_is_answered_is_counted_with_what_was_missing_and_unseen(scorer, row, bundles):
    """By feature; a refusal is not an answer."""
    counts = scorer.metrics = Counts()
    scorer.answer([row, row | {"country": "CH", "campaign": None, "age": None}])
    with pytest.raises(RequestError):
        scorer.answer([{}])
    ((version, arm, scores, missing, unseen),) = counts.recorded

    assert (version, arm, len(scores)) == (bundles[0].name, "champion", 2)
    assert (missing, unseen) == ({"campaign": 1, "age": 1}, {"country": 1})


def test_answers_come_in_the_order_of_their_rows_whatever_the_arm(store, journal, bundles, clock, row):
    """Half of the keys go to the challenger."""
    store.serve(bundles[0])
    store.put(bundles[1])
    digest = json.loads((bundles[1] / "manifest.json").read_text())["digest"]
    with (store.folder / "live.toml").open("a") as file:
        file.write(f'[challenger]\nversion = "{bundles[1].name}"\ndigest = "{digest}"\nshare = 0.5\n')
    app = create_app(store.folder, journal, follow_every=None, clock=clock)
    rows = [row | {"visitor": f"v{n}", "id": f"i{n}", "pages": n} for n in range(40)]
    scorer = app.extensions["tidegate"]
    together = scorer.answer(rows)

    assert [answer.id for answer in together] == [f"i{n}" for n in range(40)]
    assert {answer.version for answer in together} == {bundle.name for bundle in bundles}
    for each, answer in zip(rows, together, strict=True):
        (alone,) = scorer.answer([each])
        assert (alone.arm, alone.version) == (answer.arm, answer.version)
        assert alone.score == pytest.approx(answer.score, abs=1e-6)


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("core", [True, False])
def test_requests_of_one_moment_are_answered_as_each_alone_would_be(
    store, journal, bundles, clock, row, kept, split, core
):
    """To the bit: rows, lists, wrong ones, an id that two of them bring; each keeps its trace."""
    store.serve(bundles[0])
    if split:
        store.put(bundles[1])
        digest = json.loads((bundles[1] / "manifest.json").read_text())["digest"]
        more = f'[challenger]\nversion = "{bundles[1].name}"\ndigest = "{digest}"\nshare = 0.5\n'
        with (store.folder / "live.toml").open("a") as file:
            file.write(more)
    follower = Follower(store.folder, clock, load=partial(Bundle.load, core=core))
    follower.refresh()
    counts = Counts()
    scorer = Scorer(follower, Journal(journal, clock), clock, counts)
    asked: list = [row | {"visitor": f"v{n}", "id": f"i{n % 19}", "age": n} for n in range(20)]
    asked[3:3] = [[asked[1], asked[2]], row | {"age": "old"}, 7, []]
    contents = [(json.dumps(each).encode(), TRACE if n % 2 else "") for n, each in enumerate(asked)]

    together, alone = scores(scorer, contents), []
    lines = kept("answers")
    for each in contents:
        try:
            alone.append(scorer.score(*each))
        except RequestError as error:
            alone.append(error)
    assert [getattr(each, "words", each) for each in together] == [getattr(each, "words", each) for each in alone]
    assert sum(isinstance(each, bytes) for each in together) == 22

    def of(some):
        return sorted(json.dumps(line, sort_keys=True) for line in some)

    assert of(kept("answers")[len(lines) :]) == of(lines)
    assert sum(len(given) for _, _, given, *_ in counts.recorded) == 2 * len(lines)


def test_one_that_fails_takes_no_other_with_it(scorer, row, kept):
    """Those of its moment are then asked one by one, and each is kept once."""
    engine = scorer.follower.live.bundle.engine

    class Half:
        session = engine.session

        def score(self, rows):
            if rows[0]["pages"] == 13:
                raise ArithmeticError("thirteen")
            return engine.score(rows)

        def score_each(self, rows):
            return np.concatenate([self.score([each]) for each in rows])

    champion = scorer.follower.live.champion
    bundle = replace(champion.bundle, engine=Half())
    scorer.follower.live = replace(scorer.follower.live, champion=replace(champion, bundle=bundle))
    found = scores(scorer, [(json.dumps(row | {"pages": pages}).encode(), "") for pages in (12, 13, 14)])

    assert [type(each) for each in found] == [bytes, ArithmeticError, bytes]
    assert [line["row"]["pages"] for line in kept("answers")] == [12, 14]


def test_where_no_answer_may_go_out_unkept_it_is_refused(store, journal, bundles, clock, row):
    """The policy of the journal."""
    store.serve(bundles[0])
    journal.write_text("a file where the folder should be")
    asked = Settings(store=store.folder, journal=journal, journal_policy="refuse")
    app = create_app(store.folder, journal, settings=asked, follow_every=None, clock=clock)
    answer = app.test_client().post("/score", json=row)

    assert answer.status_code == 503
    scorer = app.extensions["tidegate"]
    assert scorer.journal.state()["lost"] == 1
    found = scorer.try_fast([(json.dumps(row).encode(), "")] * 3)
    assert [error.status for error in found] == [503] * 3
    assert scorer.journal.state()["lost"] == 4
    assert str(journal) not in answer.text


def test_while_it_stops_it_is_not_ready_and_answers_all_the_same(store, journal, bundles, row):
    """Who shares requests out has a moment to notice."""
    store.serve(bundles[0])
    stopping = []
    app = create_app(store.folder, journal, follow_every=None, stopping=lambda: bool(stopping))
    client = app.test_client()
    assert client.get("/ready").status_code == 200
    stopping.append(True)

    assert client.get("/ready").status_code == 503
    assert client.post("/score", json=row).status_code == 200


def test_closing_it_writes_out_what_it_holds(scorer, row, kept, journal):
    """And a line more can come all the same."""
    scorer.answer([row])
    scorer.close()

    assert len(kept("answers")) == 1


def test_the_limits_are_settings(store, journal, bundles, row):
    """Rows, nesting, bytes."""
    store.serve(bundles[0])
    asked = Settings(store=store.folder, journal=journal, most_rows=2, deepest=3, largest_body=1000)
    client = create_app(store.folder, journal, settings=asked, follow_every=None).test_client()

    assert client.post("/score", json=[row] * 2).status_code == 200
    assert "at most 2 are taken" in client.post("/score", json=[row] * 3).json["error"]
    assert "3 levels" in client.post("/score", json=row | {"x": [[[1]]]}).json["error"]
    assert "1,000 bytes" in client.post("/score", data=b" " * 1001).json["error"]
    shutil.rmtree(store.folder)

"""The scorer over HTTP: every answer is journalled, every mistake is named, nothing is half taken."""

import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serve.app import create_app
from serve.scoring.validation import MAX_ROWS
from serve.settings import Settings


def post(client, path, body):
    return client.post(path, data=json.dumps(body), content_type="application/json")


def test_one_object_is_answered(client, row, bundles):
    """With the request's id and the model's version."""
    answer = post(client, "/score", row)

    assert answer.status_code == 200
    assert answer.json.keys() == {"id", "score", "label", "version", "arm"}
    assert answer.json["version"] == bundles[0].name
    assert 0 < answer.json["score"] < 1


def test_a_list_is_answered_in_its_order(client, row):
    """Each row as if it came alone."""
    rows = [row | {"pages": float(n)} for n in range(5)]
    alone = [post(client, "/score", each).json["score"] for each in rows]

    assert [a["score"] for a in post(client, "/score", rows).json] == pytest.approx(alone, abs=1e-6)
    assert post(client, "/score", []).json == []


def test_each_task_answers_in_its_own_words(store, journal, clock, each_task, row, kept):
    """Probability, probabilities with the likeliest label, value."""
    store.serve(each_task)
    answer = post(create_app(store.folder, journal, follow_every=None, clock=clock).test_client(), "/score", row).json
    (line,) = kept("answers")

    if "value" in answer:
        assert line["score"] == answer["value"] > 0
    elif "probabilities" in answer:
        assert answer["probabilities"].keys() == {"basic", "plus", "pro"}
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
        assert answer["probabilities"][answer["label"]] == max(line["score"]) == answer["score"]
    else:
        assert line["score"] == answer["score"]


def test_the_journal_has_what_was_asked_and_answered(client, row, kept):
    """With the row's own time and its key; private ones not in clear."""
    answer = post(client, "/score", row).json
    (line,) = kept("answers")

    assert line["id"] == answer["id"]
    assert (line["version"], line["score"]) == (answer["version"], answer["score"])
    assert (line["time"], line["at"]) == ("2026-03-01T11:00:00Z", "2026-03-01T12:00:00.000000Z")
    assert line["row"] == {"country": "AT", "campaign": "search", "device": "phone", "returning": True, "pages": 3.0}
    assert "v1" not in json.dumps(line)


def test_key_and_time_may_be_left_out(client, row, kept):
    """The request's id and the present stand in."""
    bare = {name: value for name, value in row.items() if name not in ("visitor", "at")}
    post(client, "/score", bare)

    assert kept("answers")[0]["time"] == "2026-03-01T12:00:00.000000Z"


def test_a_website_may_bring_its_own_id(client, row, kept):
    """The outcome is reported by it."""
    assert post(client, "/score", row | {"id": "order-7"}).json["id"] == "order-7"
    assert post(client, "/outcome", {"id": "order-7", "outcome": "yes"}).status_code == 202
    assert kept("outcomes") == [{"id": "order-7", "outcome": "yes", "at": "2026-03-01T12:00:00.000000Z"}]


def test_a_category_never_seen_and_missing_values_are_answered(client, row):
    """New customer segments keep arriving."""
    odd = row | {"country": "CH", "campaign": None, "returning": None, "age": None}

    assert post(client, "/score", odd).status_code == 200


def test_every_problem_of_every_row_is_said_at_once_and_nothing_is_taken(client, row, kept):
    """The good row is not answered either: a list is taken whole or not at all."""
    bad = row | {"age": 300, "device": "fridge", "returning": "yes"}
    bad["page"] = bad.pop("pages")
    answer = post(client, "/score", [row, bad])

    assert answer.status_code == 422
    assert {(p["row"], p["field"], p["expected"], p["got"]) for p in answer.json["problems"]} == {
        (1, "age", "a number from 0 to 120 (years) or null", "a number (private, not shown)"),
        (1, "device", "one of phone, tablet, desk", "'fridge'"),
        (1, "returning", "true or false or null", "'yes'"),
        (1, "pages", "a number of at least 0 (pages)", "nothing"),
        (1, "page", "the field pages", "a name that the contract does not have"),
    }
    assert answer.json["detail"] == "5 problems in 1 of 2 rows; nothing was taken"
    assert answer.json["error"] == (
        "row 1: device: expected one of phone, tablet, desk, got 'fridge' (1 of 5 problems)"
    )
    assert kept("answers") == []


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "the body is empty; expected a JSON object, or a list of them"),
        (b"{", 400, "the body is not JSON"),
        (b"\xff", 400, "not UTF-8"),
        (b'{"age": NaN}', 400, "NaN is not a JSON number; send null for what is missing"),
        (b'{"age": -Infinity}', 400, "-Infinity is not a JSON number"),
        (b'{"age": 1e999}', 400, "a number is too large: a float64 holds at most 1.8e308"),
        (b"7", 400, "got a number"),
        (b'"row"', 400, "got a string"),
        (b"null", 400, "got null"),
        (b"[1, {}]", 422, "row 0: expected an object, got a number"),
        (b"[" * 100_000, 400, "nested too deeply"),
        (b"1" * 5_000, 400, "the body is not JSON"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_body_that_is_no_rows_is_refused_in_words(client, body, status, words):
    """Whatever a website sends."""
    answer = client.post("/score", data=body)

    assert answer.status_code == status
    assert words in answer.json["error"]


@pytest.mark.parametrize("path", ["/score", "/outcome", "/invocations", "/v2/models/buys/infer"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"data": {"age": "41"}}, "multipart/form-data"),
        ({"data": "age=41&pages=3"}, "application/x-www-form-urlencoded"),
        ({"data": "age\tpages\n41\t3\n"}, "text/tab-separated-values"),
        ({"data": b"PAR1\0"}, "application/octet-stream"),
    ],
    ids=["an upload", "a form", "a table", "a file"],
)
def test_a_body_of_another_kind_is_refused_with_what_to_send(client, kept, path, body, kind):
    """415, on every route that takes rows."""
    answer = client.post(path, content_type=kind, **body)

    assert (answer.status_code, answer.content_type) == (415, "application/problem+json")
    assert answer.json["detail"].startswith(f"the body is {kind}; send JSON, as Content-Type: application/json")
    assert kept("answers") == kept("outcomes") == []


def test_too_many_rows_or_bytes_are_refused(client, row):
    """A request must not starve the others."""
    many = client.post("/score", data=b"[" + b"{}," * MAX_ROWS + b"{}]")
    large = client.post("/score", data=b" " * (Settings.largest_body + 1))

    assert (many.status_code, large.status_code) == (413, 413)
    assert "10,001 rows in one request; at most 10,000" in many.json["error"]
    assert "larger than 2,097,152 bytes" in large.json["error"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["country", "age", "pages", "device", "returning", "campaign", "at", "visitor", "id"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
            max_leaves=3,
        ),
    )
)
def test_whatever_comes_is_answered_or_refused_never_a_failure(client, row, changes):
    """No value of a field makes the scorer fail."""
    answer = post(client, "/score", row | changes)

    assert answer.status_code in (200, 400, 422)
    assert answer.is_json


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ({"id": "a", "outcome": "perhaps"}, "one of 'no', 'yes'"),
        ({"id": "a"}, "nothing"),
        ({"outcome": "yes"}, "a string of 1 to 200 printable characters"),
        ({"id": "", "outcome": "yes"}, "a string of 1 to 200 printable characters"),
        ({"id": "a\nb", "outcome": "yes"}, "a string of 1 to 200 printable characters"),
        ([{"id": "a", "outcome": "yes"}, {"id": "a", "outcome": "no"}], "a different id for each row"),
    ],
    ids=str,
)
def test_an_outcome_that_does_not_fit_is_refused(client, kept, outcome, words):
    """The whole lot with it, so that it can be sent again."""
    answer = post(client, "/outcome", outcome)

    assert answer.status_code == 422
    assert words in json.dumps(answer.json)
    assert kept("outcomes") == []


def test_an_outcome_that_cannot_be_kept_is_not_accepted(store, bundles, journal, clock):
    """The website sends it again; an answer, though, is given."""
    store.serve(bundles[0])
    journal.write_text("a file where the folder should be")
    client = create_app(store.folder, journal, follow_every=None, clock=clock).test_client()

    assert post(client, "/outcome", {"id": "a", "outcome": "yes"}).status_code == 503
    assert client.get("/ready").json["journal"]["lost"] == 1


def test_an_answer_is_given_although_the_journal_cannot_be_written(store, bundles, journal, clock, row):
    """And /ready says what is lost."""
    store.serve(bundles[0])
    journal.write_text("a file where the folder should be")
    client = create_app(store.folder, journal, follow_every=None, clock=clock).test_client()

    assert post(client, "/score", row).status_code == 200
    assert client.get("/ready").json["journal"]["lost"] == 1
    assert client.get("/ready").status_code == 200


def test_ready_says_what_answers_since_when_and_what_was_refused(app, client, store, bundles, clock):
    """The old model goes on, and it is said."""
    clock.pass_by(hours=1)
    store.serve(bundles[1])
    shutil.rmtree(store.folder / "bundles" / bundles[1].name)
    app.extensions["tidegate"].follower.refresh()
    answer = client.get("/ready")

    assert answer.status_code == 200
    assert answer.json["version"] == bundles[0].name
    assert answer.json["since"] == "2026-03-01T12:00:00Z"
    assert answer.json["refused"]["what"] == bundles[1].name
    assert "is not a bundle" in answer.json["refused"]["why"]


def test_before_the_first_release_it_is_healthy_and_not_ready(store, journal, row):
    """A deployment may come before a model."""
    client = create_app(store.folder, journal, follow_every=None).test_client()

    assert client.get("/health").json == {"ok": True}
    assert client.get("/ready").status_code == 503
    assert post(client, "/score", row).status_code == 503
    assert post(client, "/outcome", {"id": "a", "outcome": "yes"}).status_code == 503
    assert "no model is live yet" in post(client, "/score", row).json["error"]


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/score", 405, "/score does not accept GET; the routes are POST /score"),
        ("POST", "/ready", 405, "does not accept POST"),
        ("GET", "/x", 404, "there is no route /x; the routes are POST /score, POST /outcome, GET /ready"),
        ("POST", "/scores", 404, "there is no route /scores"),
    ],
)
def test_a_wrong_address_says_the_right_ones(client, method, path, status, words):
    """As JSON, like every answer."""
    answer = client.open(path, method=method)

    assert answer.status_code == status
    assert words in answer.json["error"]


def test_a_failure_of_its_own_is_a_500_as_json(store, journal, bundles, clock, row):
    """And is not journalled as an answer."""
    store.serve(bundles[0])
    app = create_app(store.folder, journal, follow_every=None, clock=clock)
    app.extensions["tidegate"].follower = None

    answer = post(app.test_client(), "/score", row)
    assert answer.status_code == 500
    assert answer.json["error"] == "the scorer failed; the reason is in its log"


SECRETS = {"country": "Ruritania", "age": 97531, "visitor": 86420, "pages": 75319}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/score", [SECRETS, [97531, "Ruritania"]]),
        ("/score", SECRETS | {"age": [97531, 75319], "pages": SECRETS}),
        ("/score", SECRETS | {"returning": [75319, "Ruritania"], "at": SECRETS}),
        ("/invocations", [SECRETS]),
        ("/invocations", SECRETS),
        ("/invocations", {"instances": SECRETS}),
        ("/invocations", {"instances": [list(SECRETS.values())]}),
        ("/invocations", {"inputs": {name: [value] for name, value in SECRETS.items()}}),
        ("/invocations", {"inputs": {"age": [1], "country": "Ruritania", "pages": [75319] * 2}}),
        ("/invocations", {"dataframe_split": SECRETS}),
        ("/invocations", {"dataframe_split": {"columns": ["age"], "data": [[97531, 75319]]}}),
        ("/invocations", {"dataframe_split": {"columns": ["age"], "data": [SECRETS]}}),
        ("/invocations", {"dataframe_split": {"columns": [75319], "data": [[97531]]}}),
        ("/v2/models/buys/infer", {"inputs": SECRETS}),
        ("/v2/models/buys/infer", {"inputs": [SECRETS, list(SECRETS.values()), "Ruritania"]}),
        ("/v2/models/buys/infer", {"inputs": "Ruritania", "outputs": SECRETS, "id": [97531]}),
        (
            "/v2/models/buys/infer",
            {"inputs": [{"name": "age", "datatype": ["Ruritania"], "shape": SECRETS, "data": 97531}]},
        ),
        ("/v2/models/buys/infer", {"inputs": [{"name": "age", "datatype": "INT64", "shape": [1], "data": [97531]}]}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_error_shows_no_row_and_nothing_private_on_any_route(client, path, body):
    """Of a row at most single values that do not fit; each of these bodies has something wrong."""
    answer = client.post(path, json=body)

    assert answer.status_code in (400, 422)
    assert not [value for value in SECRETS.values() if str(value) in answer.text]


@pytest.mark.parametrize("path", ["/score", "/invocations", "/v2/models/buys/infer", "/outcome"])
def test_a_number_that_is_too_large_to_read_is_not_shown(client, path):
    """Which field it is of is not known, so it may be private."""
    for number in (b"97531" * 100, b"97531e999"):
        answer = client.post(path, data=b'{"age": ' + number + b"}")

        assert answer.status_code == 400
        assert "a number is too large" in answer.json["error"]
        assert "97531" not in answer.text


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"age": 7}, "country: expected a string, got nothing (1 of 3 problems)"),
        ([{"age": 7}], "country: expected a string, got nothing (1 of 3 problems)"),
        ([{"age": 7}] * 2, "row 0: country: expected a string, got nothing (1 of 6 problems)"),
    ],
)
def test_the_error_says_the_first_problem(client, rows, said):
    """Some clients, such as Triton's, show nothing else."""
    for path, body in (("/score", rows), ("/invocations", {"instances": rows if isinstance(rows, list) else [rows]})):
        assert client.post(path, json=body).json["error"] == said

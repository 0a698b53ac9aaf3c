"""`text/csv` on `/invocations`, as SageMaker's and MLflow's clients send it."""

import csv
import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.row_contract import Contract, Feature, Target
from serve.app import create_app
from serve.routes.column_rows import Fields
from serve.routes.csv_rows import read_csv
from serve.scoring.validation import RequestError

NAMES = ("country", "campaign", "device", "returning", "age", "pages")
HEADER = ",".join(NAMES) + "\n"
LINE = "AT,search,phone,True,41,3\n"
CONTRACT = Contract(
    "visits",
    "binary",
    (
        Feature("country", "category"),
        Feature("campaign", "category", nullable=True),
        Feature("returning", "boolean", nullable=True),
        Feature("age", "number", nullable=True, minimum=18),
        Feature("pages", "number"),
    ),
    Target("bought", (False, True)),
    "visitor",
    "at",
)


def post(client, body, kind="text/csv", **headers):
    return client.post("/invocations", data=body, content_type=kind, headers=headers)


def scores(answer):
    assert answer.status_code == 200, answer.text
    return [one["score"] for one in answer.json["predictions"]]


@pytest.fixture
def expected(client, row):
    """The score of LINE's row."""
    return client.post("/score", json={name: row[name] for name in NAMES}).json["score"]


@pytest.mark.parametrize(
    "body",
    [
        LINE,
        LINE.strip(),
        LINE.replace("\n", "\r\n"),
        "\n" + LINE + "\n\n",
        "AT,search,phone,true,41.0,3.0",
        "AT,search,phone,1, 41 ,+3",
        'AT,"search",phone,TRUE,4.1e1,"3"',
        HEADER + LINE,
        "\ufeff" + HEADER + LINE,
        HEADER.replace("\n", "\r\n") + LINE,
        "pages,age,returning,device,campaign,country\n3,41,True,phone,search,AT\n",
        ",country,campaign,device,returning,age,pages,Unnamed: 7\n0,AT,search,phone,True,41,3,x\n",
        "country, campaign, device, returning, age, pages\n" + LINE,
        HEADER.replace("\n", ",visitor,at\n") + LINE.replace("\n", ",v1,2026-03-01 11:00:00\n"),
    ],
)
def test_a_row_with_or_without_a_header_is_answered(client, expected, body):
    """Without one its values are those of the features, in the contract's order."""
    assert scores(post(client, body)) == [expected]


def test_many_rows_are_answered_in_order(client, row):
    """As `DataFrame.to_csv` writes them, what is missing is empty."""
    rows = [row | {"pages": float(n), "age": None if n % 2 else 41.0} for n in range(20)]
    body = io.StringIO()
    writer = csv.DictWriter(body, list(row))
    writer.writeheader()
    writer.writerows(rows)
    answer = post(client, body.getvalue())

    assert scores(answer) == [one["score"] for one in client.post("/score", json=rows).json]


@pytest.mark.parametrize("accept", ["text/csv", "text/csv, */*;q=0.1", "text/*", "text/csv; charset=utf-8"])
def test_who_accepts_csv_gets_a_line_of_scores_for_each_row(client, accept):
    """As SageMaker's algorithms answer; JSON requests, too."""
    answer = post(client, LINE + LINE.replace("3", "9"), Accept=accept)
    values = [["AT", "search", "phone", True, 41, pages] for pages in (3, 9)]
    asked = {"instances": [dict(zip(NAMES, each, strict=True)) for each in values]}
    expected = scores(client.post("/invocations", json=asked))

    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.text == "".join(f"{score}\n" for score in expected)
    assert client.post("/invocations", json=asked, headers={"Accept": accept}).text == answer.text


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "application/json, text/csv", "x/y", "text/csv;q=0", "", ";;,"]
)
def test_others_get_json(client, expected, accept):
    """As MLflow answers."""
    assert scores(post(client, LINE, Accept=accept)) == [expected]


def test_a_multiclass_model_answers_the_probability_of_each_class(store, journal, clock, each_task, row):
    """In the contract's order; other models one score."""
    store.serve(each_task)
    client = create_app(store.folder, journal, follow_every=None, clock=clock).test_client()
    scored = client.post("/score", json=row).json
    wanted = list(scored["probabilities"].values()) if "probabilities" in scored else [scored["score"]]
    answer = post(client, LINE, Accept="text/csv")

    assert [float(value) for value in answer.text.strip().split(",")] == wanted


@pytest.mark.parametrize(
    ("header", "body"), [("present", HEADER + LINE), ("absent", LINE), ("Present", HEADER + LINE), ('"absent"', LINE)]
)
def test_the_parameter_says_whether_there_is_a_header(client, expected, header, body):
    """RFC 4180."""
    assert scores(post(client, body, f"text/csv; charset=UTF-8; header={header}")) == [expected]


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("text/csv; header=absent", HEADER + LINE, "row 0: device: expected one of"),
        ("text/csv; header=present", LINE * 2, "got nothing"),
        ("text/csv; header=maybe", LINE, "is present or absent"),
        ("text/csv; charset=latin-1", LINE, "another charset than UTF-8"),
    ],
)
def test_a_parameter_is_believed(client, kind, body, words):
    """And one that says nothing is refused."""
    answer = post(client, body, kind)

    assert answer.status_code in (415, 422)
    assert words in answer.json["error"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("", 400, "the body is empty"),
        ("\n\n", 400, "the body is empty"),
        (b"\xff\xfe,1", 400, "it is not UTF-8 text"),
        ('AT,"search,phone,True,41,3', 400, "line 1"),
        ('AT,"sea"rch,phone,True,41,3', 400, "line 1"),
        (
            "AT,search,phone,True,41\n",
            422,
            "expected 6 values with commas between them, the features in the contract's order, got 5 values",
        ),
        (LINE + "AT,search\n" + LINE, 422, "row 1: expected 6 values"),
        ("AT;search;phone;True;41;3", 422, "got 1 values"),
        (
            HEADER + "AT,search\n",
            422,
            "expected 6 values with commas between them, as the first line has, got 2 values",
        ),
        ("country,country,campaign,device,pages\nA,A,,phone,1\n", 422, "country: expected one column of a name, got 2"),
        ("country,campaign,device,returning,age,page\n" + LINE, 422, "1 of 2 problems"),
        (HEADER.upper() + LINE, 422, "country: expected a string, got nothing (1 of"),
        ("AT,search,fridge,True,41,3", 422, "device: expected one of phone, tablet, desk, got 'fridge'"),
        ("AT,search,phone,maybe,41,3", 422, "returning: expected true or false or null, got 'maybe'"),
        ("AT,search,phone,2,41,3", 422, "returning: expected true or false or null, got '2'"),
        ("AT,search,phone,True,41,", 422, "pages: expected a number of at least 0 (pages), got nothing"),
        ("AT,search,phone,True,41,nan", 422, "pages: expected a number of at least 0 (pages), got nothing"),
        ("AT,search,phone,True,41,inf", 422, "pages: expected a number of at least 0 (pages), got Infinity"),
        ("AT,search,phone,True,41,1e999", 422, "got Infinity"),
        ("AT,search,phone,True,41,three", 422, "got 'three'"),
        ("AT,search,phone,True,41,1_000", 422, "got '1_000'"),
        ("AT,search,phone,True,41,0x10", 422, "got '0x10'"),
        ("AT,search,phone,True,41,٣", 422, "pages: expected a number"),
        (
            LINE + LINE + ",search,phone,True,41,-3",
            422,
            "row 2: country: expected a string, got nothing (1 of 2 problems)",
        ),
        ("AT,search,phone,True,97531,3", 422, "a number (private, not shown)"),
        (LINE * 10_001, 413, "10,001 rows in one request; at most 10,000"),
        (HEADER + LINE * 10_001, 413, "10,001 rows in one request"),
        (LINE * 60_000, 413, "60,000 rows in one request"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_is_said_with_row_and_field(client, kept, body, status, words):
    """And nothing is taken."""
    answer = post(client, body)

    assert answer.status_code == status
    assert words in answer.json["error"]
    assert "97531" not in answer.text
    assert kept("answers") == []


def test_a_header_alone_is_no_row(client):
    """As in an empty list."""
    assert post(client, HEADER).json == {"predictions": []}
    assert post(client, HEADER, Accept="text/csv").text == ""


@pytest.mark.parametrize("path", ["/score", "/outcome", "/v2/models/buys/infer"])
def test_csv_is_for_invocations(client, path):
    """Elsewhere it is refused with what to send."""
    answer = client.post(path, data=LINE, content_type="text/csv")

    assert answer.status_code == 415
    assert "send JSON" in answer.json["error"]


def test_before_the_first_release_there_is_no_order_of_features(store, journal):
    """503, as for other rows."""
    client = create_app(store.folder, journal, follow_every=None).test_client()

    assert post(client, LINE).status_code == 503


def test_a_category_is_what_is_written():
    """A comma, a quote, a line break, and what others take for missing."""
    texts = ["Korea, Republic of", 'the "best"', "two\nlines", "NA", "null", "007", " x"]
    body = io.StringIO()
    csv.writer(body).writerows([[text, "", "", "", 1] for text in texts])
    rows = read_csv(body.getvalue().encode(), Fields([CONTRACT]), 100)

    assert [row["country"] for row in rows] == texts
    assert rows[0] == {"country": texts[0], "campaign": None, "returning": None, "age": None, "pages": 1}


CELLS = st.none() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "country": st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
                "campaign": st.none() | st.text("aäß,\"\n'", min_size=1),
                "returning": st.none() | st.booleans(),
                "age": CELLS,
                "pages": CELLS,
            }
        ),
        min_size=1,
        max_size=5,
    ),
    st.booleans(),
)
def test_rows_round_trip(rows, header):
    """Numbers to the bit, texts to the character."""
    body = io.StringIO()
    writer = csv.writer(body)
    names = list(rows[0]) if header else CONTRACT.feature_names
    if header:
        writer.writerow(names)
    writer.writerows(["" if row[n] is None else row[n] for n in names] for row in rows)

    read = read_csv(body.getvalue().encode(), Fields([CONTRACT]), 100, header=header)
    assert [json.dumps(row, sort_keys=True) for row in read] == [json.dumps(row, sort_keys=True) for row in rows]


@pytest.mark.parametrize(
    ("line", "is_header"),
    [
        ("country,pages", True),
        ("pages,weight,height,colour,country", True),
        ("country,Pages", True),
        ("Country,Pages", True),
        ("age,campaign", False),
        ("AT,search,True,41,3", False),
    ],
)
def test_the_first_line_is_a_header_if_it_names_half_of_what_must_be_there(line, is_header):
    """country and pages must be there; whatever else it holds."""
    try:
        rows = read_csv(f"{line}\n".encode(), Fields([CONTRACT]), 100)
    except RequestError as error:
        rows = error.problems
    assert (rows == []) == is_header


def test_columns_that_no_arm_reads_cost_one_row(client):
    """A table of a thousand more columns is answered in the memory of its text."""
    wide = HEADER.strip() + "".join(f",n{n}" for n in range(900)) + "\n"
    line = LINE.strip() + "," * 900 + "\n"
    fields = Fields([CONTRACT])
    rows = read_csv((wide + line * 3).encode(), fields, 100)

    assert [len(row) for row in rows] == [5 + 901, 5, 5]
    assert len(scores(post(client, wide + line * 100))) == 100


def test_a_column_of_a_challenger_alone_is_read(bundles):
    """As the type that its contract says: the champion does not know it."""
    challenger = replace(CONTRACT, features=(*CONTRACT.features, Feature("visits", "number", nullable=True)))
    fields = Fields([CONTRACT, challenger])
    header = "country,pages,visits\n"

    assert read_csv((header + "AT,1,7\nDE,2,\n").encode(), fields, 100) == [
        {"country": "AT", "pages": 1, "visits": 7},
        {"country": "DE", "pages": 2, "visits": None},
    ]
    assert fields.rows({"visits": [7, 8], "other": [1, 2]}, 2) == [{"visits": 7, "other": 1}, {"visits": 8}]
    assert len(read_csv(b"AT,,True,41,3\n", fields, 100)[0]) == len(CONTRACT.features)

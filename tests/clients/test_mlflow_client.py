"""MLflow's scoring client, and data frames as CSV."""

import pytest


@pytest.fixture
def client(module, address):
    name = "mlflow.pyfunc.scoring_server.client"
    return module(name).ScoringServerClient("127.0.0.1", int(address.rsplit(":", 1)[1]))


@pytest.fixture
def frame(module, row):
    return module("pandas").DataFrame([row, row | {"pages": 9.0, "device": "desk"}])


def invoke(client, data):
    return [one["score"] for one in client.invoke(data).get_predictions().to_dict("records")]


def test_a_frame_is_scored(client, frame, scores):
    """In any order of columns, with one more, and an index."""
    expected = scores(frame.to_dict("records"))

    assert invoke(client, frame) == expected
    assert invoke(client, frame[frame.columns[::-1]]) == expected
    assert invoke(client, frame.assign(more=[0, 1]).set_index(frame.index + 7)) == expected


@pytest.mark.parametrize("kind", [float, "float32", "Float64"])
def test_a_missing_number_is_missing(client, frame, scores, kind):
    """pandas writes NaN, or null."""
    frame = frame.astype({"age": kind})
    frame.loc[1, "age"] = None
    expected = scores([row | {"age": row["age"] if n == 0 else None} for n, row in enumerate(frame.to_dict("records"))])

    assert invoke(client, frame) == expected


@pytest.mark.parametrize(("value", "got"), [(float("nan"), "nothing"), (float("inf"), "Infinity")])
def test_the_exception_says_what_is_wrong(client, frame, value, got):
    """With row and field."""
    frame.loc[1, "pages"] = value
    with pytest.raises(Exception, match=f"row 1: pages: expected a number .* got {got}"):
        client.invoke(frame)


def test_it_is_alive(client, address):
    """As `mlflow.deployments` waits for a server."""
    client.ping()
    client.wait_server_ready(timeout=5)
    assert client.get_version()


def test_a_frame_as_csv_is_scored(module, address, frame, scores):
    """As `mlflow models predict -t csv` and users of requests send it."""
    frame.loc[1, ["age", "campaign"]] = None
    pandas = module("pandas")
    rows = [
        {name: None if pandas.isna(value) else value for name, value in row.items()} for row in frame.to_dict("records")
    ]
    for body in (frame.to_csv(), frame.to_csv(index=False)):
        answer = module("requests").post(
            f"{address}/invocations", data=body, headers={"Content-Type": "text/csv"}, timeout=30
        )
        assert [one["score"] for one in answer.json()["predictions"]] == scores(rows)

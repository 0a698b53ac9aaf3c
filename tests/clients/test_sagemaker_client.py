"""boto3's client of SageMaker endpoints; the platform hands its requests on to `/invocations`."""

import json

import pytest


@pytest.fixture
def invoke(module, address):
    config = module("botocore.config").Config(retries={"max_attempts": 0})
    client = module("boto3").client(
        "sagemaker-runtime",
        region_name="eu-west-1",
        endpoint_url=address,
        aws_access_key_id="x",
        aws_secret_access_key="y",
        config=config,
    )

    def hand_on(request, **_):
        request.url = f"{address}/invocations"

    client.meta.events.register("before-send.sagemaker-runtime.InvokeEndpoint", hand_on)

    def ask(body, kind=None, **more):
        more |= {"ContentType": kind} if kind else {}
        answer = client.invoke_endpoint(EndpointName="visits", Body=body, **more)
        return answer["ContentType"], answer["Body"].read().decode()

    yield ask
    client.close()


@pytest.mark.parametrize("kind", ["application/json", None])
def test_json_is_scored(invoke, scores, row, kind):
    """With or without its type."""
    _, body = invoke(json.dumps({"instances": [row]}), kind)

    assert [one["score"] for one in json.loads(body)["predictions"]] == scores([row])


@pytest.mark.parametrize("kind", ["text/csv", "text/csv; header=absent"])
def test_csv_without_a_header_is_answered_with_a_line_of_scores_for_each_row(invoke, scores, row, kind):
    """As the built-in algorithms take it and answer."""
    kind_of_answer, body = invoke("AT,search,phone,True,41,3\nAT,,desk,1,,9", kind, Accept="text/csv")
    rows = [row, row | {"campaign": None, "device": "desk", "age": None, "pages": 9}]

    assert kind_of_answer.startswith("text/csv")
    assert [float(line) for line in body.splitlines()] == scores(rows)


def test_csv_with_a_header_is_scored(invoke, scores, row):
    """As a data frame writes it."""
    _, body = invoke(",".join(row) + "\nAT,search,phone,True,41,3\n", "text/csv")

    assert [one["score"] for one in json.loads(body)["predictions"]] == scores([row])


def test_the_exception_says_what_is_wrong(invoke, module):
    """ModelError holds the container's answer."""
    with pytest.raises(module("botocore.exceptions").ClientError) as caught:
        invoke("AT,search,fridge,True,41,3", "text/csv")

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 422

"""tritonclient, with its defaults: tensors and answers as bytes."""

import pytest

KINDS = {
    "country": "BYTES",
    "campaign": "BYTES",
    "device": "BYTES",
    "returning": "BOOL",
    "age": "FP32",
    "pages": "FP32",
}
TYPES = {"BYTES": object, "BOOL": bool, "FP32": "float32", "FP64": "float64", "INT64": "int64"}


@pytest.fixture
def triton(module, address):
    client = module("tritonclient.http").InferenceServerClient(address.removeprefix("http://"))
    yield client
    client.close()


@pytest.fixture
def infer(module, triton):
    """Rows, and how they are sent -> the answer."""
    http, numpy = module("tritonclient.http"), module("numpy")

    def ask(rows, kinds=KINDS, *, binary=True, flat=False, **more):
        tensors = []
        for name, kind in kinds.items():
            values = numpy.array([row[name] for row in rows], TYPES[kind])
            values = values if flat else values.reshape(-1, 1)
            tensor = http.InferInput(name, list(values.shape), kind)
            tensors.append(tensor.set_data_from_numpy(values, binary_data=binary))
        return triton.infer("buys", tensors, **more)

    return ask


@pytest.fixture
def rows(row):
    return [row, row | {"pages": 9.0, "country": "Öland", "returning": False}]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("packed", [None, "gzip", "deflate"])
def test_rows_are_scored_as_on_every_other_route(infer, scores, rows, binary, flat, packed):
    """As bytes or as JSON, compressed or not."""
    answer = infer(
        rows,
        binary=binary,
        flat=flat,
        request_compression_algorithm=packed,
        response_compression_algorithm=packed,
        request_id="42",
    )

    assert answer.as_numpy("score").tolist() == pytest.approx(scores(rows), rel=1e-7)
    assert set(answer.as_numpy("label").tolist()) <= {b"no", b"yes"}
    assert answer.get_response()["id"] == "42"


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("kind", ["FP32", "FP64", "INT64"])
def test_numbers_of_each_type(infer, scores, rows, binary, kind):
    """NumPy's float64 and int64 are what pandas gives."""
    answer = infer(rows, KINDS | {"pages": kind, "age": kind}, binary=binary)

    assert answer.as_numpy("score").tolist() == pytest.approx(scores(rows), rel=1e-7)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("kind", ["FP32", "FP64"])
def test_nan_is_missing(infer, scores, row, binary, kind):
    """There is no null in NumPy."""
    answer = infer([row | {"age": float("nan")}], KINDS | {"age": kind}, binary=binary)

    assert answer.as_numpy("score").tolist() == pytest.approx(scores([row | {"age": None}]), rel=1e-7)


@pytest.mark.parametrize("binary", [True, False])
def test_outputs_are_as_the_client_asks(module, infer, rows, binary):
    """Its default is binary data; one of each is an answer with both."""
    http = module("tritonclient.http")
    wanted = [http.InferRequestedOutput("score"), http.InferRequestedOutput("version", binary_data=False)]
    answer = infer(rows, binary=binary, outputs=wanted)

    assert [one["name"] for one in answer.get_response()["outputs"]] == ["score", "version"]
    assert "data" not in answer.get_output("score")
    assert len(answer.get_output("version")["data"]) == 2


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pages": -3.0}, "row 1: pages: expected a number of at least 0 (pages), got -3.0"),
        ({"pages": float("inf")}, "row 1: pages: expected a number of at least 0 (pages), got Infinity"),
        ({"pages": float("nan")}, "row 1: pages: expected a number of at least 0 (pages), got nothing"),
        (
            {"device": "fridge", "pages": -3.0},
            "row 1: device: expected one of phone, tablet, desk, got 'fridge' (1 of 2 problems)",
        ),
    ],
)
def test_the_exception_says_what_is_wrong(module, infer, row, binary, change, said):
    """The client shows nothing but `error`."""
    with pytest.raises(module("tritonclient.utils").InferenceServerException) as caught:
        infer([row, row | change], binary=binary)

    assert said in caught.value.message()
    assert caught.value.status() == "422"


def test_server_and_model_are_described(triton):
    """As the client's examples ask."""
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("buys")
    assert "binary_tensor_data" in triton.get_server_metadata()["extensions"]
    assert [one["name"] for one in triton.get_model_metadata("buys")["inputs"]][:6] == list(KINDS)

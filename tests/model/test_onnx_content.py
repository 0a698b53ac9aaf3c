"""An ONNX file holds what the export writes, or it is refused in words, whatever its bytes are."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from model.onnx_export.onnx_content import MAX_BYTES, MAX_DEPTH, MAX_PROBLEMS, problems

HUGE = [10**6, 10**6]
WRITTEN = sorted((Path(__file__).parents[1] / "bundles").rglob("*.onnx"))


def node(kind, inputs=("x",), outputs=("y",), **attributes):
    return helper.make_node(kind, list(inputs), list(outputs), **attributes)


def ints(name, *values):
    return numpy_helper.from_array(np.array(values, dtype=np.int64), name)


def floats(name, *values):
    return numpy_helper.from_array(np.array(values, dtype=np.float32), name)


def elsewhere(name="w"):
    """A tensor whose numbers are in another file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return tensor


def shaped(*dims, kind=TensorProto.FLOAT):
    return TensorProto(name="w", data_type=kind, dims=dims)


def graph(*nodes, holds=()):
    row = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    return helper.make_graph(list(nodes or [node("Identity")]), "g", [row], [out], list(holds))


def model(*nodes, holds=(), **more):
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_model(graph(*nodes, holds=holds), opset_imports=opsets, ir_version=10)
    for name, value in more.items():
        field = getattr(made, name)
        field.extend(value) if isinstance(value, list) else setattr(made, name, value)
    return made


def branch(inner):
    return node("If", then_branch=inner, else_branch=graph())


def nested(levels):
    inner = graph()
    for _ in range(levels):
        inner = graph(branch(inner))
    return inner


def too_deep_to_parse():
    """A model of graphs in attributes of nodes of graphs."""
    content = b""
    for field in (6, 5, 1) * 50 + (7,):
        size = len(content)
        content = bytes([field << 3 | 2, size & 127 | 128, size >> 7]) + content
    return content


def valued(**fields):
    """A node with an attribute whose type is not stated: the field alone says what is in it."""
    made = node("Constant", ())
    made.attribute.append(AttributeProto(name="value", **fields))
    return made


def sparse(tensor=None):
    return onnx.SparseTensorProto(values=tensor or floats("w", 1.0), dims=[1])


def canonical(made):
    return made.SerializeToString(deterministic=True)


FUNCTION = helper.make_function("", "F", ["x"], ["y"], [node("Identity")], [])
OUTSIDE = "has its data in another file"
REFUSED = {
    "external initialiser": (model(holds=[elsewhere()]), OUTSIDE),
    "external, by its location alone": (
        model(holds=[TensorProto(name="w", data_type=1, dims=[1], data_location=1)]),
        OUTSIDE,
    ),
    "external, by its list alone": (
        model(
            holds=[
                TensorProto(
                    name="w",
                    data_type=1,
                    dims=[1],
                    external_data=[onnx.StringStringEntryProto(key="location", value="a")],
                )
            ]
        ),
        OUTSIDE,
    ),
    "external, in memory": (
        model(
            holds=[
                TensorProto(
                    name="w",
                    data_type=1,
                    dims=[1],
                    data_location=1,
                    external_data=[onnx.StringStringEntryProto(key="location", value="*/_ORT_MEM_ADDR_/*")],
                )
            ]
        ),
        OUTSIDE,
    ),
    "external attribute": (model(valued(t=elsewhere())), OUTSIDE),
    "external list of attributes": (model(valued(tensors=[elsewhere()])), OUTSIDE),
    "external in a branch": (model(branch(graph(holds=[elsewhere()]))), OUTSIDE),
    "external in a list of graphs": (model(valued(graphs=[graph(holds=[elsewhere()])])), OUTSIDE),
    "sparse initialiser": (
        helper.make_model(onnx.GraphProto(name="g", sparse_initializer=[sparse(elsewhere())])),
        "sparse tensors",
    ),
    "sparse attribute": (model(valued(sparse_tensor=sparse())), "sparse tensors"),
    "sparse attributes": (model(valued(sparse_tensors=[sparse()])), "sparse tensors"),
    "functions": (model(functions=[FUNCTION]), "it has functions"),
    "training": (model(training_info=[onnx.TrainingInfoProto()]), "training information"),
    "annotations": (
        helper.make_model(onnx.GraphProto(name="g", quantization_annotation=[onnx.TensorAnnotation()])),
        "TensorAnnotation",
    ),
    "another domain": (model(node("FusedGemm", domain="com.microsoft")), "com.microsoft.FusedGemm"),
    "another domain in a branch": (model(branch(graph(node("A", domain="b")))), "b.A"),
    "another domain imported": (model(opset_import=[helper.make_opsetid("b", 1)]), "domain 'b'"),
    "an overload": (model(node("Identity", overload="o")), "overloaded by a function"),
    "a shape": (model(holds=[shaped(2**20, 2**20)]), "has the shape"),
    "a shape just too large": (model(holds=[shaped(MAX_BYTES // 8 + 1, kind=11)]), "has the shape"),
    "a shape beyond numbers": (model(holds=[shaped(*[2**62] * 100_000)]), "has the shape"),
    "a negative shape": (model(holds=[shaped(-(2**62), -4)]), "has the shape"),
    "a type that there is not": (model(holds=[shaped(1, kind=99)]), "unknown type"),
    "ConstantOfShape": (model(node("ConstantOfShape", "s"), holds=[ints("s", *HUGE)]), "1,000,000,000,000"),
    "of a Constant": (model(node("Constant", (), "s", value=ints("", *HUGE)), node("Expand", "xs")), "Expand creates"),
    "of a Constant's list": (model(node("Constant", (), "s", value_ints=HUGE), node("Tile", "xs")), "Tile creates"),
    "through Identity and Cast": (
        model(
            node("Identity", "s", "t"),
            node("Cast", "t", "u", to=7),
            node("ConstantOfShape", "u"),
            holds=[floats("s", *HUGE)],
        ),
        "ConstantOfShape creates",
    ),
    "through Concat": (
        model(node("Concat", "ss", "t", axis=0), node("ConstantOfShape", "t"), holds=[ints("s", 10**6)]),
        "'y' is of",
    ),
    "by a product": (
        model(
            node("Expand", "xs", "t"), node("Transpose", "t", "u"), node("MatMul", "ut"), holds=[ints("s", 1, 10**6)]
        ),
        "'y' is of",
    ),
    "by doubling": (
        model(*(node("Concat", [f"x{n}" if n else "x"] * 2, [f"x{n + 1}"], axis=1) for n in range(40))),
        "is of",
    ),
    "Range": (
        model(
            node("Range", "abc"),
            holds=[
                ints("c", 1),
                numpy_helper.from_array(np.array(0), "a"),
                numpy_helper.from_array(np.array(10**12), "b"),
            ],
        ),
        "Range creates",
    ),
    "RandomNormal": (model(node("RandomNormal", (), shape=HUGE)), "RandomNormal creates"),
    "Pad": (model(node("Pad", "xs"), holds=[ints("s", 0, 0, 10**12, 0)]), "Pad creates"),
    "Resize": (model(node("Resize", ["x", "", "s"]), holds=[floats("s", 1e6, 1e6)]), "Resize creates"),
    "OneHot": (model(node("OneHot", "xdv"), holds=[ints("d", 10**12), floats("v", 0, 1)]), "OneHot creates"),
    "in a branch": (
        model(branch(graph(node("ConstantOfShape", "s"))), holds=[ints("s", *HUGE)]),
        "ConstantOfShape creates",
    ),
    "a name used twice": (
        model(branch(graph(node("Expand", "xs"), holds=[ints("s", *HUGE)])), holds=[ints("s", 1, 1)]),
        "Expand creates",
    ),
    "too deep": (model(branch(nested(MAX_DEPTH))), "nested more than"),
    "another format": (model(producer_name="ORTM"), "ORT format"),
    "no graph": (onnx.ModelProto(ir_version=10), "no graph"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_export_does_not_write_is_refused(name):
    """In words, without a session; each of these is canonical."""
    made, words = REFUSED[name]
    found = problems(canonical(made))

    assert words in "; ".join(found)
    assert "canonical" not in "; ".join(found)
    assert len(found) <= MAX_PROBLEMS + 1


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: "/".join(path.parts[-3:]))
def test_what_was_ever_exported_is_taken(path):
    """With the cores among them."""
    assert problems(path.read_bytes()) == []


@pytest.mark.parametrize(
    "made",
    [
        model(),
        model(holds=[shaped(100, 100)]),
        model(node("Reshape", "xs"), holds=[ints("s", -1, 1)]),
        model(node("Slice", "xsee"), holds=[ints("s", 0), ints("e", 2**63 - 1)]),
        model(node("ConstantOfShape", "s", value=floats("", 1e30)), holds=[ints("s", 1)]),
        model(node("Pad", "xsv"), holds=[ints("s", 0, 1, 0, 1), floats("v", -3e38)]),
        model(node("OneHot", "xdv"), holds=[ints("d", 9), floats("v", 0, 1e30)]),
        model(node("RandomNormal", (), shape=[1, 2], seed=1e30)),
        model(branch(nested(MAX_DEPTH - 1))),
    ],
    ids=lambda made: made.graph.node[0].op_type,
)
def test_what_is_usual_is_taken(made):
    """Large numbers that are no sizes, among them."""
    assert problems(canonical(made)) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content + b"\x00",
        lambda content: content + b"\xc2\x3e\x03abc",  # field 1000, which there is not
        lambda content: content + b"\x3a\x00",  # a second graph, empty: it is merged with the first
        lambda content: content[2:] + content[:2],  # its version after the graph
        lambda content: b"\x08\x09" + content,  # its version twice
        lambda content: content.replace(b"\x08\x0a", b"\x08\x8a\x00", 1),  # a number, longer
        lambda content: content[:-1],
        lambda content: b"",
        lambda content: b"not a graph",
        lambda content: too_deep_to_parse(),
        lambda content: content.replace(b"Identity", b"Identit\xff"),  # no UTF-8
    ],
)
def test_bytes_that_are_not_canonical_are_refused(spoil):
    """What parses to the same model may be read otherwise by another parser."""
    content = canonical(model())

    assert problems(content) == []
    assert problems(spoil(content)) != []


@given(st.data())
def test_mutated_bytes_are_refused_or_are_the_canonical_bytes_of_a_model(data):
    """Never another exception."""
    content = bytearray(data.draw(st.sampled_from(WRITTEN[:3])).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["set", "cut", "insert"]))
        if kind == "set":
            content[place] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del content[place : place + data.draw(st.integers(1, 40))]
            content = content or bytearray(b"\x00")
        else:
            content[place:place] = data.draw(st.binary(max_size=20))
    _refused_or_canonical(bytes(content))


@given(st.binary(max_size=200))
@example(b"\xff" * 20)
@example(b"\x3a\xff")
@example(b"\x38\x01")  # a number where the graph belongs
@example(b"\x3a\x06\x0a\x04\x08\x80\x80\x01")
def test_any_bytes_are_refused_or_canonical(content):
    """Where no model was to begin with."""
    _refused_or_canonical(content)


def _refused_or_canonical(content):
    if not problems(content):
        assert canonical(onnx.ModelProto.FromString(content)) == content

"""A hostile ONNX file is refused before a session is made of it."""

import contextlib

import pytest

from serve.graph import _PLAIN, MOST, GraphError, _fields, look


def varint(number):
    number %= 2**64
    found = bytearray()
    while True:
        found.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(found)


def whole(number, value):
    return varint(number << 3) + varint(value)


def part(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(*more, dims=(1,), kind=1, name=b"w"):
    return b"".join(whole(1, dim) for dim in dims) + whole(2, kind) + part(8, name) + b"".join(more)


def model(*fields):
    return whole(1, 10) + part(7, b"".join(fields))


def node(kind, inputs=(), attributes=(), outputs=(b"y",)):
    return part(
        1,
        b"".join(part(1, name) for name in inputs)
        + b"".join(part(2, name) for name in outputs)
        + part(4, kind)
        + b"".join(part(5, each) for each in attributes),
    )


def inside(levels):
    graph = node(b"Add")
    for _ in range(levels):
        graph = node(b"If", attributes=[part(6, graph)])
    return graph


SIZES = [10**6, 10**6]
RAW = part(9, b"".join(size.to_bytes(8, "little") for size in SIZES))
ELSEWHERE = part(13, part(1, b"location") + part(2, b"../../etc/passwd"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (model(part(5, tensor(ELSEWHERE))), "keeps data in other files"),
        (model(part(5, tensor(whole(14, 1)))), "keeps data in other files"),
        (model(node(b"Constant", attributes=[part(5, tensor(ELSEWHERE))])), "in other files"),
        (model(node(b"If", attributes=[part(6, part(5, tensor(ELSEWHERE)))])), "in other files"),
        (model(node(b"If", attributes=[part(11, part(5, tensor(ELSEWHERE)))])), "in other files"),
        (model(part(5, tensor(dims=(2**40, 2**40)))), "a tensor of the shape"),
        (model(part(5, tensor(dims=(MOST + 1,)))), "a tensor of the shape"),
        (
            model(part(5, tensor(RAW, kind=7)), node(b"ConstantOfShape", [b"w"])),
            "ConstantOfShape makes a tensor of 1,000,000,000,000 numbers",
        ),
        (
            model(
                part(5, tensor(part(7, b"".join(map(varint, SIZES))), kind=7)),
                node(b"Expand", [b"x", b"w"]),
            ),
            "Expand makes a tensor of 1,000,000,000,000 numbers",
        ),
        (
            model(
                node(b"Constant", attributes=[part(5, tensor(RAW, kind=7))], outputs=[b"c"]),
                node(b"Tile", [b"x", b"c"]),
            ),
            "Tile makes a tensor",
        ),
        (model(inside(20)), "graphs inside graphs"),
        (model(part(15, b"")), "sparse tensors"),
        (model(node(b"Constant", attributes=[part(22, b"")])), "sparse tensors"),
        (model() + part(25, b""), "functions"),
        (b"not a graph", "its protobuf is broken"),
        (b"\x3a\xff", "its protobuf is broken"),
        (whole(7, 1), "its protobuf is broken"),
        # A node whose input, and a tensor whose name, is a huge number: no memory is asked for.
        (part(7, part(1, whole(1, 2**40))), "its protobuf is broken"),
        (part(7, part(5, whole(8, 2**63 + 5))), "its protobuf is broken"),
        (b"\xff" * 20, "its protobuf is broken"),
    ],
    ids=str,
)
def test_what_reaches_outside_or_is_absurd_is_refused(content, words):
    """In words, and before ONNX Runtime sees it."""
    with pytest.raises(GraphError, match=words):
        look(content)


def test_what_our_export_writes_is_taken(each_task):
    """And the shape tensors in it."""
    look((each_task / "model.onnx").read_bytes())


@pytest.mark.parametrize(
    "content",
    [
        model(part(5, tensor(dims=(100, 100)))),
        model(
            part(5, tensor(part(7, varint(-1) + varint(64)), kind=7)),
            node(b"Reshape", [b"x", b"w"]),
        ),
        model(part(5, tensor(part(7, varint(2**63 - 1)), kind=7)), node(b"Slice", [b"x", b"w"])),
        model(inside(3)),
        b"",
    ],
    ids=str,
)
def test_what_is_usual_is_taken(content):
    """The end of a slice is often the largest number there is."""
    look(content)


def test_what_is_stepped_over_hides_nothing(each_task):
    """The numbers and short strings of attributes; every other field is found as before."""
    passed = {7, 8, 9}

    def walked(content, path, skip):
        for number, value in _fields(content, skip if path == (7, 1, 5) else None):
            if path == (7, 1, 5) and number in passed:
                continue
            yield path, number, bytes(value) if isinstance(value, memoryview) else value
            if (*path, number) in {(7,), (7, 1), (7, 1, 5)}:
                yield from walked(value, (*path, number), skip)

    content = memoryview((each_task / "model.onnx").read_bytes())
    every = list(walked(content, (), None))
    assert list(walked(content, (), _PLAIN)) == every
    assert any(path == (7, 1, 5) for path, _, _ in every)


def test_every_cut_of_a_file_is_refused_or_taken_and_nothing_else_happens(each_task):
    """Neither an endless loop nor another exception."""
    content = (each_task / "model.onnx").read_bytes()
    for end in range(0, len(content), max(1, len(content) // 300)):
        with contextlib.suppress(GraphError):
            look(content[:end])

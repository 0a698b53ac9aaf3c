"""Named tensors of the Open Inference Protocol -> rows, with every problem said at once.

A tensor's values are in its `data`, or follow the JSON as bytes where it says how many
(`binary_data_size`). Missing is null, a NaN, and an empty BYTES element.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from contracts.row_contract import Contract, describe, show
from serve.routes.binary_tensors import DATATYPES, TensorDataError, read_values
from serve.routes.column_rows import Fields
from serve.routes.short_floats import SHORT, shorten
from serve.scoring.validation import RequestError, refuse, refuse_more, takes_ids

NUMBERS = ("FP32", "FP64", "FP16", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
#: Data types accepted for each kind of feature; the first is the one in the metadata.
TYPES = {"number": NUMBERS, "boolean": ("BOOL",), "category": ("BYTES",)}

#: Limits of the tensors in a request and of the outputs that it may request.
MAX_TENSORS, MAX_OUTPUTS = 1_000, 100
#: Numbers of a shape shown in an error.
MAX_SIZES = 4
#: Characters of tensor names shown in an error.
MAX_QUOTED_LENGTH = 200


def columns(contract: Contract) -> list[tuple[str, str, list[int]]]:
    """The tensors of *contract*: name, data type and shape; key, time and id are optional."""
    found = [(one.name, TYPES[one.kind][0], [-1, 1]) for one in contract.features]
    more = [contract.key, contract.time, *(["id"] if takes_ids(contract) else [])]
    return found + [(name, "BYTES", [-1, 1]) for name in more]


class InferenceRequest(NamedTuple):
    """A request: its rows, the requested outputs (all if none is named), and which of them as bytes."""

    rows: Sequence[Mapping[str, Any]]
    outputs: Sequence[str]
    as_bytes: Mapping[str, bool]
    #: The default for outputs that `as_bytes` does not name.
    all_as_bytes: bool


def read_request(fields: Fields, body: Any, most: int, tail: memoryview) -> InferenceRequest:
    """The request in the JSON *body* and in the *tail* of bytes after it; at most *most* rows."""
    if not isinstance(body, dict):
        raise RequestError(400, "expected an object with inputs, a list of tensors")
    problems: list[dict[str, Any]] = []
    outputs, as_bytes = _outputs(body.get("outputs"), problems)
    all_as_bytes = _parameter(body, "binary_data_output", bool, "", problems)
    if not isinstance(body.get("id"), (str, type(None))):
        problems.append(_problem("id", "a string", describe(body["id"])))
    tensors = _tensors(body.get("inputs"), MAX_TENSORS + len(fields.features), problems)
    parts = _parts(tensors, tail, problems)
    kinds = {name: TYPES[feature.kind] for name, feature in fields.features.items()}
    found: dict[str, list[Any]] = {}
    for tensor, part in zip(tensors, parts, strict=False):
        name, values = _column(tensor, part, kinds, most, problems)
        if values is None:
            continue
        if name in found:
            problems.append(_problem(name, "one tensor of a name", "two"))
        found[name] = values
    lengths = {len(values) for values in found.values()}
    if len(lengths) > 1:
        said = ", ".join(f"{name} {len(values)}" for name, values in found.items())
        problems.append(_problem("inputs", "tensors of one length", said))
    refuse(problems, form="the tensors")
    return InferenceRequest(fields.rows(found, lengths.pop()), outputs, as_bytes, bool(all_as_bytes))


def _tensors(tensors: Any, most: int, problems: list[dict[str, Any]]) -> list[Any]:
    if not isinstance(tensors, list) or not tensors:
        problems.append(_problem("inputs", "a list of tensors, one for each feature", _said(tensors)))
    elif len(tensors) > most:
        problems.append(_problem("inputs", f"at most {most:,} tensors", f"{len(tensors):,}"))
    else:
        return tensors
    return []


def _parts(tensors: Sequence[Any], tail: memoryview, problems: list[dict[str, Any]]) -> list[memoryview | None]:
    """The bytes of each tensor that has any, in order; [] if their lengths do not add up."""
    before = len(problems)
    sizes = [
        _parameter(tensor, "binary_data_size", int, f"{_named(tensor)}.", problems)
        if isinstance(tensor, dict)
        else None
        for tensor in tensors
    ]
    total = sum(size or 0 for size in sizes)
    if len(problems) == before and total != len(tail):
        expected = f"binary_data_size of all tensors to be the {len(tail):,} bytes after the JSON"
        problems.append(_problem("inputs", expected, f"{total:,} bytes"))
    if len(problems) > before:
        return []
    ends = accumulate(size or 0 for size in sizes)
    return [None if size is None else tail[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def _parameter(owner: Mapping[str, Any], name: str, kind: type[int], where: str, problems: list[dict[str, Any]]) -> Any:
    """A parameter of a request, a tensor or an output; None if it is missing."""
    parameters = owner.get("parameters")
    if parameters is None:
        return None
    if not isinstance(parameters, dict):
        problems.append(_problem(f"{where}parameters", "an object", describe(parameters)))
        return None
    value: Any = parameters.get(name)
    if value is None or (type(value) is kind and not value < 0):
        return value
    expected = "true or false" if kind is bool else "a number of bytes"
    problems.append(_problem(f"{where}parameters.{name}", expected, describe(value)))
    return None


def _named(tensor: Mapping[str, Any]) -> str:
    name = tensor.get("name")
    return name if isinstance(name, str) else "inputs"


def _column(
    tensor: Any, part: memoryview | None, kinds: Mapping[str, Sequence[str]], most: int, problems: list[dict[str, Any]]
) -> tuple[str, list[Any] | None]:
    """Name and values of a tensor; None, after adding a problem, if it is not valid."""
    if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
        expected = "tensors with name, datatype, shape and data"
        problems.append(_problem("inputs", expected, _said(tensor)))
        return "", None
    name: str = tensor["name"]
    kind, shape = tensor.get("datatype"), tensor.get("shape")
    known, before = kinds.get(name, DATATYPES if part is not None else ()), len(problems)
    if known and kind not in known:
        problems.append(_problem(f"{name}.datatype", f"one of {', '.join(known)}", _name(kind)))
    if (part is None) == ("data" not in tensor):
        expected = "its values as data, or as bytes after the JSON (binary_data_size)"
        got = "nothing" if part is None else "both"
        problems.append(_problem(f"{name}.data", expected, got))
        return name, None
    count = _count(shape)
    if count is None:
        problems.append(_problem(f"{name}.shape", "[n] or [n, 1]", _shape(shape)))
        return name, None
    refuse_more(count, most)
    if part is not None and len(problems) > before:
        return name, None
    try:
        return name, _values(tensor, part, kind, count)
    except TensorDataError as error:
        problems.append(_problem(f"{name}.data", error.expected, error.got))
        return name, None


def _values(tensor: Mapping[str, Any], part: memoryview | None, kind: Any, count: int) -> list[Any]:
    """The *count* values of a tensor, from its *part* of the bytes or from its data."""
    values = read_values(kind, part, count) if part is not None else _flat(tensor["data"])
    if values is None or len(values) != count:
        got = "other data" if values is None else f"{len(values)} values"
        raise TensorDataError(f"{count} values", got)
    if part is None and kind in SHORT:
        values = shorten(kind, values)
    return [None if value == "" else value for value in values] if kind == "BYTES" else values


def _count(shape: Any) -> int | None:
    """The number of rows in a shape; None if it is neither [n] nor [n, 1]."""
    if not isinstance(shape, list) or not all(type(size) is int for size in shape):
        return None
    count, *more = shape or [-1]
    return count if count >= 0 and more in ([], [1]) else None


def _flat(data: Any) -> list[Any] | None:
    """Data as a flat list; each value may be in a list."""
    if not isinstance(data, list):
        return None
    if data and all(isinstance(value, list) and len(value) == 1 for value in data):
        return [value[0] for value in data]
    return None if any(isinstance(value, list) for value in data) else data


def _outputs(outputs: Any, problems: list[dict[str, Any]]) -> tuple[list[str], dict[str, bool]]:
    """The names of the requested outputs, and whether each is requested as bytes."""
    if outputs is None:
        return [], {}
    if not (
        isinstance(outputs, list)
        and len(outputs) <= MAX_OUTPUTS
        and all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in outputs)
    ):
        expected = f"a list of at most {MAX_OUTPUTS} objects with a name"
        problems.append(_problem("outputs", expected, _said(outputs)))
        return [], {}
    as_bytes = {
        one["name"]: found
        for one in outputs
        if (found := _parameter(one, "binary_data", bool, f"{one['name']}.", problems)) is not None
    }
    return [one["name"] for one in outputs], as_bytes


def _said(got: Any) -> str:
    return "nothing" if got is None else describe(got)


def _name(got: Any) -> str:
    return got[:60] if isinstance(got, str) else _said(got)


def _shape(got: Any) -> str:
    """A shape in an error. Anything else in its place may contain values of a row and is not shown."""
    if isinstance(got, list) and len(got) <= MAX_SIZES and all(type(size) is int for size in got):
        return show(got).removesuffix(" (list)")
    return _said(got)


def _problem(field: str, expected: str, got: str) -> dict[str, Any]:
    return {"field": field[:MAX_QUOTED_LENGTH], "expected": expected, "got": got[:MAX_QUOTED_LENGTH]}

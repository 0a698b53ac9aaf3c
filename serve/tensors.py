"""Named tensors of the Open Inference Protocol -> rows, with every problem said at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model.contract import Contract, describe, show
from serve.scoring import RequestError, counted, gather, refuse_more, takes_ids

NUMBERS = (
    "FP32", "FP64", "FP16", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64",
)  # fmt: skip
#: The types that a feature's kind may come as; the first is what the metadata tells.
TYPES = {"number": NUMBERS, "boolean": ("BOOL",), "category": ("BYTES",)}

#: Tensors of a request besides the contract's features, and outputs that it may ask for.
MOST_TENSORS, MOST_OUTPUTS = 1_000, 100
#: Sizes of a shape that an error shows.
MOST_SIZES = 4


def columns(contract: Contract) -> list[tuple[str, str, list[int]]]:
    """The tensors of *contract*: name, type and shape; key, time and id may be left out."""
    found = [(one.name, TYPES[one.kind][0], [-1, 1]) for one in contract.features]
    more = [contract.key, contract.time, *(["id"] if takes_ids(contract) else [])]
    return found + [(name, "BYTES", [-1, 1]) for name in more]


def rows_of(
    contract: Contract, asked: Any, most: int
) -> tuple[list[Mapping[str, Any]], Sequence[str]]:
    """The rows in a request, and the outputs it wants (none named: all)."""
    if not isinstance(asked, dict):
        raise RequestError(400, "expected an object with inputs, a list of tensors")
    problems: list[dict[str, Any]] = []
    wanted = _wanted(asked.get("outputs"), problems)
    if not isinstance(asked.get("id"), (str, type(None))):
        problems.append(_problem("id", "a string", describe(asked["id"])))
    tensors = _tensors(asked.get("inputs"), MOST_TENSORS + len(contract.features), problems)
    kinds = {name: TYPES[feature.kind] for name, feature in _features(contract).items()}
    found: dict[str, list[Any]] = {}
    for tensor in tensors:
        name, values = _column(tensor, kinds, problems)
        if values is None:
            continue
        if name in found:
            problems.append(_problem(name, "one tensor of a name", "two"))
        found[name] = values
    lengths = {len(values) for values in found.values()}
    if len(lengths) > 1:
        said = ", ".join(f"{name} {len(values)}" for name, values in found.items())
        problems.append(_problem("inputs", "tensors of one length", said))
    if problems:
        listed, count, _ = gather(problems)
        words = f"{counted(count)} with the tensors; nothing was taken"
        raise RequestError(422, words, listed, count)
    count = lengths.pop()
    refuse_more(count, most)
    names = list(found)
    return [dict(zip(names, row, strict=True)) for row in zip(*found.values(), strict=True)], wanted


def _features(contract: Contract) -> dict[str, Any]:
    return {feature.name: feature for feature in contract.features}


def _tensors(tensors: Any, most: int, problems: list[dict[str, Any]]) -> list[Any]:
    if not isinstance(tensors, list) or not tensors:
        problems.append(
            _problem("inputs", "a list of tensors, one for each feature", _said(tensors))
        )
    elif len(tensors) > most:
        problems.append(_problem("inputs", f"at most {most:,} tensors", f"{len(tensors):,}"))
    else:
        return tensors
    return []


def _column(
    tensor: Any, kinds: Mapping[str, Sequence[str]], problems: list[dict[str, Any]]
) -> tuple[str, list[Any] | None]:
    """A tensor's name and values; None, and a problem more, if it is none."""
    if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
        problems.append(
            _problem("inputs", "tensors with name, datatype, shape and data", _said(tensor))
        )
        return "", None
    name: str = tensor["name"]
    kind, shape = tensor.get("datatype"), tensor.get("shape")
    known, before = kinds.get(name), len(problems)
    if known and kind not in known:
        problems.append(_problem(f"{name}.datatype", f"one of {', '.join(known)}", _name(kind)))
    if "data" not in tensor:
        problems.append(
            _problem(f"{name}.data", "its values as JSON, not as binary data", _said(None))
        )
        return name, None
    values = _flat(tensor["data"])
    count = _count(shape)
    if count is None:
        problems.append(_problem(f"{name}.shape", "[n] or [n, 1]", _shape(shape)))
    elif values is None or len(values) != count:
        got = "other data" if values is None else f"{len(values)} values"
        problems.append(_problem(f"{name}.data", f"{count} values", got))
    return name, values if len(problems) == before else None


def _count(shape: Any) -> int | None:
    """How many rows a shape says; None if it is neither [n] nor [n, 1]."""
    if not isinstance(shape, list) or not all(type(size) is int for size in shape):
        return None
    count, *more = shape or [-1]
    return count if count >= 0 and more in ([], [1]) else None


def _flat(data: Any) -> list[Any] | None:
    """Data as one list: flat, or as lists of one value each."""
    if not isinstance(data, list):
        return None
    if data and all(isinstance(value, list) and len(value) == 1 for value in data):
        return [value[0] for value in data]
    return None if any(isinstance(value, list) for value in data) else data


def _wanted(outputs: Any, problems: list[dict[str, Any]]) -> list[str]:
    if outputs is None:
        return []
    if isinstance(outputs, list) and len(outputs) <= MOST_OUTPUTS:
        names = [one.get("name") if isinstance(one, dict) else None for one in outputs]
        if all(isinstance(name, str) for name in names):
            return [str(name) for name in names]
    expected = f"a list of at most {MOST_OUTPUTS} objects with a name"
    problems.append(_problem("outputs", expected, _said(outputs)))
    return []


def _said(got: Any) -> str:
    return "nothing" if got is None else describe(got)


def _name(got: Any) -> str:
    return got[:60] if isinstance(got, str) else _said(got)


def _shape(got: Any) -> str:
    """A shape; what is in its place may hold values of the row."""
    if isinstance(got, list) and len(got) <= MOST_SIZES and all(type(size) is int for size in got):
        return show(got).removesuffix(" (list)")
    return _said(got)


def _problem(field: str, expected: str, got: str) -> dict[str, Any]:
    return {"field": field, "expected": expected, "got": got}

"""Add a feature to a recipe's text, or retire it: contract, lists of columns, and `load`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from keyword import iskeyword

from contracts.row_contract import Contract, Feature
from model.features.column_lists import Columns, column_lists, list_of
from model.features.recipe_syntax import Edit, EditError, Listing, Text, assigned, literal


def add(text: str, contract: Contract, feature: Feature, value: str = "", *, listed: bool = True) -> str:
    """The recipe with *feature*; `load` gives it *value*, an expression of `rows`, if there is one.

    If *listed*, the one list of all features of its kind gets its name as well; see `list_of`. Raises
    `EditError`.
    """
    if feature.name in contract.feature_names:
        raise EditError(f"the contract has {feature.name} already")
    if _is_retired(contract, feature.name):
        raise EditError(f"{feature.name} is retired: move its line from retired back to features")
    read = Text.of(text)
    edits = [read.after(_features(read), spelt(feature))]
    chosen = _chosen(read, contract, feature) if listed else None
    if chosen:
        edits.append(read.after(chosen.node, literal(feature.name)))
    if value:
        edits.append(_derived(read, feature.name, value))
    return read.edited(edits)


def undecided(text: str, contract: Contract, feature: Feature) -> list[tuple[int, str]]:
    """The lists of columns of its kind in an edited *text* that lack the *feature*: line number and line.

    *contract* is the one before. None if one of the lists has it.
    """
    read = Text.of(text)
    lists = column_lists(read, (*contract.features, feature))
    if any(feature.name in each.names for each in lists):
        return []
    kinds = {each.name: each.kind for each in contract.features}
    alike = [each for each in lists if feature.kind in {kinds[name] for name in each.names}]
    lines = text.splitlines()
    numbers = sorted({each.node.lineno for each in alike})
    return [(number, lines[number - 1].strip()) for number in numbers]


def drop(text: str, contract: Contract, name: str) -> str:
    """The recipe with the feature *name* retired, and removed from slices and lists of columns.

    Its line moves to the contract's `retired`: rows keep the column for older models. A feature that is retired already
    is removed completely, also from `private`. Raises `EditError`.
    """
    if _is_retired(contract, name):
        read = Text.of(text)
        return read.edited(_forget(read, name))
    if name not in contract.feature_names:
        raise EditError(f"the contract has no {name}; it has {', '.join(contract.feature_names)}")
    if len(contract.features) == 1:
        raise EditError(f"{name} is the only feature")
    read = Text.of(text)
    listed = _features(read)
    gone = [each for each in listed.elts if _first(read, each) == name]
    if not gone:
        raise EditError(f"the line of {name} is not among the contract's features in this file")
    edits = [read.without(listed, gone[0]), _retired(read, gone[0])]
    slices = _stated(read, "slices")
    nodes = [each.node for each in column_lists(read, contract.features)]
    for within in (*nodes, *([slices] if slices else [])):
        arguments = read.words(within)
        if name in arguments:
            edits.append(read.without(within, within.elts[arguments.index(name)]))
    return read.edited(edits)


def spelt(feature: Feature) -> str:
    """The feature as the contract's line."""
    arguments = [f'"{feature.name}"', f'"{feature.kind}"']
    for name in ("description", "unit", "minimum", "maximum", "nullable", "owner"):
        value = getattr(feature, name)
        if value not in ("", None) and value is not False:
            arguments.append(f"{name}={literal(value)}")
    return f"Feature({', '.join(arguments)})"


def _is_retired(contract: Contract, name: str) -> bool:
    return name in {feature.name for feature in contract.retired}


def _retired(read: Text, gone: ast.expr) -> Edit:
    """The edit that lists the line *gone* among the contract's retired."""
    arguments = read.text[read.begin(gone) : read.end(gone)]
    before = read.stated("retired")
    if isinstance(before, (ast.List, ast.Tuple)):
        return read.after(before, arguments)
    if before is not None:
        raise EditError("the contract's retired features are not a plain list: edit it by hand")
    contract = read.contract
    # After `features=` if it is a keyword argument; else after the last argument.
    named = [each.value for each in contract.keywords if each.arg == "features"]
    last = (named or [*contract.args, *(each.value for each in contract.keywords)])[-1]
    end = read.end(last)
    line = next((each for each in contract.keywords if each.value is last), None)
    start = read.starts[(line or last).lineno - 1]
    indent = read.text[start : start + (line or last).col_offset]
    if indent.strip() or not named:
        return end, end, f", retired=({arguments},)"
    return end, end, f",\n{indent}retired=(\n{indent}    {arguments},\n{indent})"


def _forget(read: Text, name: str) -> Iterator[Edit]:
    """The edits that remove a retired feature."""
    within = read.stated("retired")
    listed = within.elts if isinstance(within, (ast.List, ast.Tuple)) else []
    gone = [each for each in listed if _first(read, each) == name]
    if not gone or not isinstance(within, (ast.List, ast.Tuple)):
        raise EditError(f"the line of {name} is not among the retired features in this file")
    yield read.without(within, gone[0])
    private = _stated(read, "private")
    if private and name in read.words(private):
        yield read.without(private, private.elts[read.words(private).index(name)])


def _features(read: Text) -> Listing:
    """The list of features in the file."""
    value = read.stated("features")
    if isinstance(value, ast.Name):
        found = [each for each in (assigned(line, value.id) for line in read.tree.body) if each]
        if not found:
            raise EditError(f"the features are {value.id}, which another file lists: edit it there")
        value = found[-1]
    if not isinstance(value, (ast.List, ast.Tuple)):
        raise EditError("the contract's features are not a plain list: edit it by hand")
    return value


def _chosen(read: Text, contract: Contract, feature: Feature) -> Columns | None:
    return list_of(feature.kind, column_lists(read, contract.features), contract.features)


def _first(read: Text, call: ast.expr) -> str | None:
    """The name of the feature that a line of the contract states."""
    if not isinstance(call, ast.Call):
        return None
    stated = [*call.args[:1], *(each.value for each in call.keywords if each.arg == "name")]
    return read.word(stated[0]) if stated else None


def _stated(read: Text, keyword: str) -> Listing | None:
    """A list of names in the contract, if there is one."""
    value = read.stated(keyword)
    return value if isinstance(value, (ast.List, ast.Tuple)) else None


def _derived(read: Text, name: str, value: str) -> Edit:
    """The edit that adds a column to what `load` returns."""
    try:
        ast.parse(value, mode="eval")
    except SyntaxError as error:
        raise EditError(f"{value!r} is not a Python expression: {error.msg}") from error
    load = read.function("load")
    ends = [each for each in ast.walk(load) if isinstance(each, ast.Return)] if load else []
    if len(ends) != 1 or ends[0].value is None:
        raise EditError("load() does not have exactly one return: add the column by hand")
    returned = ends[0].value
    start, end = read.begin(returned), read.end(returned)
    arguments = read.text[start:end]
    inner = arguments if isinstance(returned, (ast.Name, ast.Call, ast.Attribute)) else f"({arguments})"
    given = f"**{{{name!r}: lambda rows: {value}}}" if iskeyword(name) else f"{name}=lambda rows: {value}"
    return start, end, f"{inner}.assign({given})"

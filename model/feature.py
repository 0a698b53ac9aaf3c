"""A feature's life in a recipe's text: one line more, or every line that names it gone.

The text is edited at the places that its syntax tree names; comments and the rest stay as they are.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from model.contract import Contract, Feature


class EditError(ValueError):
    """A recipe cannot be edited as asked. The message says why, and what to do by hand."""


@dataclass(frozen=True)
class _Text:
    """A recipe's text and tree, with offsets in place of lines and columns."""

    text: str
    tree: ast.Module
    starts: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> _Text:
        lines = text.splitlines(keepends=True)
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line))
        return cls(text, ast.parse(text), tuple(starts))

    def begin(self, node: ast.expr) -> int:
        return self._at(node.lineno, node.col_offset)

    def end(self, node: ast.expr) -> int:
        return self._at(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def _at(self, line: int, column: int) -> int:
        # Columns count UTF-8 bytes.
        start = self.starts[line - 1]
        words = self.text[start : self.starts[line]].encode()[:column].decode()
        return start + len(words)

    def without(self, within: ast.List | ast.Tuple, gone: ast.expr) -> tuple[int, int, str]:
        """The edit that takes one element out."""
        place = within.elts.index(gone)
        if len(within.elts) == 1:
            empty = "()" if isinstance(within, ast.Tuple) else "[]"
            return self.begin(within), self.end(within), empty
        if place + 1 < len(within.elts):
            return self.begin(gone), self.begin(within.elts[place + 1]), ""
        before = self.end(within.elts[place - 1])
        if len(within.elts) == 2 and isinstance(within, ast.Tuple):
            return before, self.end(gone), "" if "," in self.text[self.end(gone) : self.end(within)] else ","  # fmt: skip
        return before, self.end(gone), ""

    def after(self, within: ast.List | ast.Tuple, words: str) -> tuple[int, int, str]:
        """The edit that puts *words* behind the last element, on a line of its own if it had one."""
        if not within.elts:
            return self.end(within) - 1, self.end(within) - 1, words + ("," if isinstance(within, ast.Tuple) else "")  # fmt: skip
        last = within.elts[-1]
        end, start = self.end(last), self.starts[last.lineno - 1]
        indent = self.text[start : self.begin(last)]
        joined = f"\n{indent}{words}" if not indent.strip() else f" {words}"
        return end, end, f",{joined}"


Edit = tuple[int, int, str]


def add(text: str, contract: Contract, feature: Feature, value: str = "") -> str:
    """The recipe with *feature*; `load` gives it *value*, an expression of `rows`, if there is one.

    Lists of names that hold all features of its kind, such as an encoder's, get its name as well.
    Raises `EditError`.
    """
    if feature.name in contract.feature_names:
        raise EditError(f"the contract has {feature.name} already")
    if _is_retired(contract, feature.name):
        raise EditError(f"{feature.name} is retired: move its line from retired back to features")
    read = _Text.of(text)
    edits = [read.after(_features(read), spelt(feature))]
    kinds = {each.name: each.kind for each in contract.features}
    for names, within in _lists(read, kinds):
        if {kinds[name] == "category" for name in names} == {feature.kind == "category"}:
            edits.append(read.after(within, repr(feature.name).replace("'", '"')))
    if value:
        edits.append(_derived(read, feature.name, value))
    return _edited(text, edits)


def drop(text: str, contract: Contract, name: str) -> str:
    """The recipe with the feature *name* retired, and gone from slices and lists of names.

    Its line moves to the contract's `retired`: rows keep the column, for older models that read it.
    One that is retired already is gone for good, from `private`, too. Raises `EditError`.
    """
    if _is_retired(contract, name):
        return _edited(text, _forget(_Text.of(text), name))
    if name not in contract.feature_names:
        raise EditError(f"the contract has no {name}; it has {', '.join(contract.feature_names)}")
    if len(contract.features) == 1:
        raise EditError(f"{name} is the only feature")
    read = _Text.of(text)
    listed = _features(read)
    gone = [each for each in listed.elts if _first(each) == name]
    if not gone:
        raise EditError(f"the line of {name} is not among the contract's features in this file")
    edits = [read.without(listed, gone[0]), _retired(read, gone[0])]
    kinds = {each.name: each.kind for each in contract.features}
    wanted = [*_lists(read, kinds), *_stated(read, "slices")]
    for names, within in wanted:
        if name in names:
            edits.append(read.without(within, within.elts[names.index(name)]))
    return _edited(text, edits)


def mentions(text: str, name: str) -> list[tuple[int, str]]:
    """The lines outside of the contract that still name the feature in quotes: number and words."""
    quoted = (f'"{name}"', f"'{name}'")
    contract = _contract(_Text.of(text))
    inside = range(contract.lineno, (contract.end_lineno or contract.lineno) + 1)
    lines = [each for each in enumerate(text.splitlines(), 1) if each[0] not in inside]
    return [(number, line.strip()) for number, line in lines if any(q in line for q in quoted)]


def spelt(feature: Feature) -> str:
    """The feature as the contract's line."""
    words = [f'"{feature.name}"', f'"{feature.kind}"']
    for name in ("description", "unit", "minimum", "maximum", "nullable", "owner"):
        value = getattr(feature, name)
        if value not in ("", None) and value is not False:
            shown = f'"{value}"' if isinstance(value, str) else f"{value!r}"
            words.append(f"{name}={shown}")
    return f"Feature({', '.join(words)})"


def _is_retired(contract: Contract, name: str) -> bool:
    return name in {feature.name for feature in contract.retired}


def _retired(read: _Text, gone: ast.expr) -> Edit:
    """The edit that lists the line *gone* among the contract's retired."""
    words = read.text[read.begin(gone) : read.end(gone)]
    before = _keyword(_contract(read), "retired")
    if isinstance(before, (ast.List, ast.Tuple)):
        return read.after(before, words)
    if before is not None:
        raise EditError("the contract's retired features are no plain list: edit it by hand")
    features = next(each for each in _contract(read).keywords if each.arg == "features")
    end, start = read.end(features.value), read.starts[features.lineno - 1]
    indent = read.text[start : start + features.col_offset]
    if indent.strip():
        return end, end, f", retired=({words},)"
    return end, end, f",\n{indent}retired=(\n{indent}    {words},\n{indent})"


def _forget(read: _Text, name: str) -> Iterator[Edit]:
    """The edits that take a retired feature out."""
    within = _keyword(_contract(read), "retired")
    listed = within.elts if isinstance(within, (ast.List, ast.Tuple)) else []
    gone = [each for each in listed if _first(each) == name]
    if not gone or not isinstance(within, (ast.List, ast.Tuple)):
        raise EditError(f"the line of {name} is not among the retired features in this file")
    yield read.without(within, gone[0])
    for names, private in _stated(read, "private"):
        if name in names:
            yield read.without(private, private.elts[names.index(name)])


def _features(read: _Text) -> ast.List | ast.Tuple:
    """The list of features in the file."""
    value = _keyword(_contract(read), "features")
    if isinstance(value, ast.Name):
        found = [each for each in read.tree.body if isinstance(each, ast.Assign) and _named(each, value.id)]  # fmt: skip
        if not found:
            raise EditError(f"the features are {value.id}, which another file lists: edit it there")
        value = found[-1].value
    if not isinstance(value, (ast.List, ast.Tuple)):
        raise EditError("the contract's features are no plain list: edit it by hand")
    return value


def _contract(read: _Text) -> ast.Call:
    for each in read.tree.body:
        if isinstance(each, ast.Assign) and _named(each, "CONTRACT") and isinstance(each.value, ast.Call):  # fmt: skip
            return each.value
    raise EditError("there is no CONTRACT = Contract(...) in the file: edit it by hand")


def _named(each: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in each.targets)


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((each.value for each in call.keywords if each.arg == name), None)


def _first(call: ast.expr) -> str:
    first = call.args[0] if isinstance(call, ast.Call) and call.args else None
    return str(first.value) if isinstance(first, ast.Constant) else ""


def _stated(read: _Text, keyword: str) -> Iterator[tuple[list[str], ast.List | ast.Tuple]]:
    """The contract's own list of names, if it states one."""
    value = _keyword(_contract(read), keyword)
    if isinstance(value, (ast.List, ast.Tuple)):
        yield _words(value), value


def _lists(
    read: _Text, kinds: Mapping[str, str]
) -> Iterator[tuple[list[str], ast.List | ast.Tuple]]:
    """Lists of nothing but features' names, outside of the contract."""
    inside = {id(each) for each in ast.walk(_contract(read))}
    for each in ast.walk(read.tree):
        if isinstance(each, (ast.List, ast.Tuple)) and id(each) not in inside:
            names = _words(each)
            if names and len(names) == len(each.elts) and set(names) <= kinds.keys():
                yield names, each


def _words(within: ast.List | ast.Tuple) -> list[str]:
    return [str(each.value) for each in within.elts if isinstance(each, ast.Constant)]


def _derived(read: _Text, name: str, value: str) -> Edit:
    """What `load` returns, with one column more."""
    try:
        ast.parse(value, mode="eval")
    except SyntaxError as error:
        raise EditError(f"{value!r} is no Python expression: {error.msg}") from error
    load = [each for each in read.tree.body if isinstance(each, ast.FunctionDef) and each.name == "load"]  # fmt: skip
    ends = [each for each in ast.walk(load[-1]) if isinstance(each, ast.Return)] if load else []
    if len(ends) != 1 or ends[0].value is None:
        raise EditError("load has not one return: give the column its value there by hand")
    returned = ends[0].value
    start, end = read.begin(returned), read.end(returned)
    words = read.text[start:end]
    inner = words if isinstance(returned, (ast.Name, ast.Call, ast.Attribute)) else f"({words})"
    return start, end, f"{inner}.assign({name}=lambda rows: {value})"


def _edited(text: str, edits: Iterable[Edit]) -> str:
    for start, end, words in sorted(edits, reverse=True):
        text = text[:start] + words + text[end:]
    ast.parse(text)
    return text

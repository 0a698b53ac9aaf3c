"""Lists of columns in a recipe's text, and other lines that use a feature."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from contracts.row_contract import Feature
from model.features.recipe_syntax import EditError, Listing, Text

#: Accessors of a pandas column: an attribute after one of them is not a column.
ACCESSORS = ("dt", "str", "cat")


class Columns(NamedTuple):
    """A list that contains only features' names."""

    names: list[str]
    node: Listing


def column_lists(read: Text, features: Sequence[Feature]) -> list[Columns]:
    """The lists of columns outside of the contract, `window` and `load`: those that the estimator may use.

    Lists in `load` are not changed, since rows keep the columns of retired features.
    """
    names = {each.name for each in features}
    other = (read.contract, read.function("window"), read.function("load"))
    inside = {id(node) for each in other if each is not None for node in ast.walk(each)}
    found = []
    for each in ast.walk(read.tree):
        if isinstance(each, (ast.List, ast.Tuple)) and id(each) not in inside:
            words = read.words(each)
            known = [word for word in words if word in names]
            if known and len(known) == len(words):
                found.append(Columns(known, each))
    return found


def list_of(kind: str, lists: Sequence[Columns], features: Sequence[Feature]) -> Columns | None:
    """The one list of all features of a *kind*, to which another of that kind belongs.

    Without such a list, the one of all numbers and booleans, or of all features; None if it is ambiguous.
    """
    kinds = {each.name: each.kind for each in features}
    mine = {name for name in kinds if kinds[name] == kind}
    plain = {name for name in kinds if kinds[name] != "category"}
    for whole in (mine, plain, set(kinds)):
        fitting = [each for each in lists if set(each.names) == whole and mine & whole]
        if fitting:
            return fitting[0] if len(fitting) == 1 else None
    return None


def mentions(text: str, name: str) -> list[tuple[int, str]]:
    """The lines outside of the contract whose code uses the feature: number and words.

    As a string, in a string of names or of pandas' query language, by a module's constant with that string, as an
    attribute (`rows.age`) or keyword argument (`assign(age=…)`). Comments and docstrings do not count.
    """
    read = Text.of(text)
    try:
        inside = {id(node) for node in ast.walk(read.contract)}
    except EditError:
        inside = set()
    lines = text.split("\n")
    numbers = {node.lineno for node in _uses(read, name) if id(node) not in inside}
    return [(number, lines[number - 1].strip()) for number in sorted(numbers)]


def _uses(read: Text, name: str) -> Iterator[ast.expr | ast.keyword]:
    """The parts of the code that use the feature."""
    nodes = list(ast.walk(read.tree))
    # A docstring is a statement; a called attribute is a method, not a column.
    skipped = {id(each.value) for each in nodes if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)}
    skipped |= {id(each.func) for each in nodes if isinstance(each, ast.Call)}
    modules = set(_imported(read))
    given = {id(each) for node in nodes if isinstance(node, ast.Call) for each in _columns_of(node)}
    for node in nodes:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Attribute):
            used = node.attr == name and not _foreign(node.value, modules)
        elif isinstance(node, ast.keyword):
            used = node.arg == name and id(node) in given
        elif isinstance(node, ast.Call):
            used = name in _named(node)
        else:
            used = isinstance(node, ast.expr) and _loaded(node) and read.word(node) == name
        if used and isinstance(node, (ast.expr, ast.keyword)):
            yield node


def _loaded(node: ast.expr) -> bool:
    return isinstance(getattr(node, "ctx", ast.Load()), ast.Load)


def _imported(read: Text) -> Iterator[str]:
    for node in ast.walk(read.tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from ((each.asname or each.name).partition(".")[0] for each in node.names)


def _foreign(owner: ast.expr, modules: set[str]) -> bool:
    """Whether an attribute of *owner* is not a column."""
    if isinstance(owner, ast.Attribute) and owner.attr in ACCESSORS:
        return True
    while isinstance(owner, ast.Attribute):
        owner = owner.value
    return isinstance(owner, ast.Name) and owner.id in {*modules, "self"}


def _columns_of(call: ast.Call) -> Sequence[ast.keyword]:
    """The keyword arguments of *call* that become columns."""
    called = call.func
    what = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return call.keywords if what in ("assign", "dict", "agg") else ()


def _named(call: ast.Call) -> set[str]:
    """The names in a string that is split, or that pandas evaluates."""
    called = call.func
    if not isinstance(called, ast.Attribute):
        return set()
    if called.attr == "split" and isinstance(called.value, ast.Constant):
        words = str(called.value.value)
        return set(words.replace(",", " ").split())
    if called.attr in ("query", "eval") and call.args and isinstance(call.args[0], ast.Constant):
        # @name is a variable of Python's, `name` a column with another spelling.
        words = re.sub(r"@\w+", "0", str(call.args[0].value)).replace("`", "")
        try:
            tree = ast.parse(words.strip())
        except SyntaxError:
            return set()
        return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return set()

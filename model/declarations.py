"""Where a recipe declares its fields and functions, as "recipe.py:23", for messages.

The source code of the recipe and of the user's modules that it imports is read, not run.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from model.features.recipe_syntax import Text, assigned
from model.recipe_errors import is_users

#: Functions of a recipe.
FUNCTIONS = ("window", "load", "estimator")
#: Arguments of `Contract` that name fields other than features.
_PLACES = {"key": 4, "time": 5}
#: The first argument of these is a field's name.
_FIELDS = ("Feature", "Target")
_Lines = dict[str, int]
#: A recipe's module, or an object with the same names.
Recipe = ModuleType | SimpleNamespace


@dataclass(frozen=True)
class Declared:
    """File and line by a field's name, or by a function's with parentheses: "age", "window()"."""

    places: Mapping[str, str] = field(default_factory=dict)

    def at(self, name: str) -> str:
        """The place of *name* as the beginning of a message, "recipe.py:23: "; "" if it is not known."""
        return f"{self.places[name]}: " if name in self.places else ""


def declared(recipe: Recipe) -> Declared:
    """Where the complete *recipe* declares its parts.

    A field's place is where `Feature`, `Target` or `Contract` gets its name; else where its name occurs in what
    CONTRACT is made of, in the recipe or a user's module; else the place of CONTRACT.
    """
    path, contract = Path(recipe.__file__ or "recipe"), recipe.CONTRACT
    names = [*(each.name for each in contract.columns), contract.target.name, contract.key, contract.time]
    stated: dict[str, str] = {}
    spelt: dict[str, str] = {}
    used = {"CONTRACT"}
    whole = path.name
    for file, read in _texts(path):
        parts = _making(read, used)
        for found, lines in (
            (stated, [_stated(read, each) for each in (*parts, read.tree)]),
            (spelt, [_spelt(each) for each in parts]),
        ):
            for name, line in (pair for each in lines for pair in each.items()):
                found.setdefault(name, f"{file.name}:{line}")
        at = [each.lineno for each in ast.walk(read.tree) if isinstance(each, ast.stmt) and assigned(each, "CONTRACT")]
        if at and whole == path.name:
            whole = f"{file.name}:{at[-1]}"
    places = {f"{each}()": defined(path, getattr(recipe, each)) for each in FUNCTIONS}
    return Declared(places | {name: stated.get(name, spelt.get(name, whole)) for name in names})


def defined(path: Path, function: Any) -> str:
    """File and line of a *function* of the recipe *path*; only the file if it has no line."""
    function = inspect.unwrap(function)
    while isinstance(function, functools.partial):
        function = function.func
    code = getattr(function, "__code__", None)
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}" if code else path.name


def _texts(path: Path) -> Iterator[tuple[Path, Text]]:
    """The source of the recipe, and of the user's modules that it imports, directly or not."""
    files, seen = [path], {path.resolve()}
    for file in files:
        try:
            read = Text.of(importlib.util.decode_source(file.read_bytes()))
        except (OSError, SyntaxError, ValueError):
            continue  # then messages have no line
        yield file, read
        for name in _imported(read.tree):
            other = Path(getattr(sys.modules.get(name), "__file__", None) or "")
            if other.suffix == ".py" and other.resolve() not in seen and is_users(path, other):
                seen.add(other.resolve())
                files.append(other)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


def _making(read: Text, used: set[str]) -> list[ast.AST]:
    """The values assigned to the names *used*, the latest first, and to names in these values.

    All of these names are added to *used*, since an imported module may assign them.
    """
    given: dict[str, list[ast.AST]] = {}
    for each in ast.walk(read.tree):
        if isinstance(each, (ast.Assign, ast.AnnAssign, ast.AugAssign)) and each.value is not None:
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    given.setdefault(target.id, []).insert(0, each.value)
        elif isinstance(each, ast.FunctionDef):
            given.setdefault(each.name, []).insert(0, each)
    found, names = [], sorted(used)
    for name in names:
        for part in given.pop(name, []):
            found.append(part)
            for node in ast.walk(part):
                if isinstance(node, (ast.Name, ast.Attribute)):
                    names.append(node.id if isinstance(node, ast.Name) else node.attr)
    used.update(names)
    return found


def _stated(read: Text, part: ast.AST) -> _Lines:
    """The lines on which `Feature`, `Target` or `Contract` gets a field's name."""
    found: _Lines = {}
    for call in ast.walk(part):
        if not isinstance(call, ast.Call):
            continue
        called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        named = {each.arg: each.value for each in call.keywords}
        places = {"Contract": _PLACES}.get(called, {"name": 0} if called in _FIELDS else {})
        for argument, place in places.items():
            value = (*call.args[place : place + 1], named.get(argument))[0]
            word = read.word(value) if value is not None else None
            if word is not None and value is not None:
                found.setdefault(word, call.lineno if called in _FIELDS else value.lineno)
    return found


def _spelt(part: ast.AST) -> _Lines:
    """The first line of each string in *part*."""
    found: _Lines = {}
    for node in ast.walk(part):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.setdefault(node.value, node.lineno)
    return found

"""A recipe's text with its syntax tree: positions of its parts, and edits that remove or add one.

Only the edited positions change; comments and formatting stay.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Listing = ast.List | ast.Tuple
#: Positional arguments of `Contract`.
_PLACES = {"features": 2}
#: Start, end, and the replacement.
Edit = tuple[int, int, str]


def literal(value: Any) -> str:
    """*value* as Python writes it, with double quotes as the formatter wants them."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (tuple, list)):
        inner = ", ".join(map(literal, value))
        close = "," if len(value) == 1 and isinstance(value, tuple) else ""
        return f"({inner}{close})" if isinstance(value, tuple) else f"[{inner}]"
    return repr(value)


class EditError(ValueError):
    """A recipe cannot be edited automatically. The message says why, and what to do by hand."""


@dataclass(frozen=True)
class Text:
    """A recipe's text and tree, with offsets in place of lines and columns."""

    text: str
    tree: ast.Module
    starts: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> Text:
        """The text, parsed. Raises SyntaxError."""
        starts = [0]
        for line in text.split("\n"):
            starts.append(starts[-1] + len(line) + 1)
        return cls(text, ast.parse(text), tuple(starts))

    def begin(self, node: ast.expr) -> int:
        """The offset of the *node*'s start."""
        return self._at(node.lineno, node.col_offset)

    def end(self, node: ast.expr) -> int:
        """The offset of the *node*'s end."""
        return self._at(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def _at(self, line: int, column: int) -> int:
        # Columns count UTF-8 bytes.
        start = self.starts[line - 1]
        words = self.text[start : self.starts[line]].encode()[:column].decode()
        return start + len(words)

    def without(self, within: Listing, gone: ast.expr) -> Edit:
        """The edit that removes one element."""
        place = within.elts.index(gone)
        if len(within.elts) == 1:
            empty = "()" if isinstance(within, ast.Tuple) else "[]"
            return self.begin(within), self.end(within), empty
        if place + 1 < len(within.elts):
            return self.begin(gone), self.begin(within.elts[place + 1]), ""
        before = self.end(within.elts[place - 1])
        if len(within.elts) == 2 and isinstance(within, ast.Tuple):
            return before, self.end(gone), "" if "," in self.text[self.end(gone) : self.end(within)] else ","
        return before, self.end(gone), ""

    def after(self, within: Listing, words: str) -> Edit:
        """The edit that appends *words* after the last element, on a separate line if that element has one."""
        if not within.elts:
            return self.end(within) - 1, self.end(within) - 1, words + ("," if isinstance(within, ast.Tuple) else "")
        last = within.elts[-1]
        end, start = self.end(last), self.starts[last.lineno - 1]
        indent = self.text[start : self.begin(last)]
        joined = f"\n{indent}{words}" if not indent.strip() else f" {words}"
        return end, end, f",{joined}"

    @cached_property
    def contract(self) -> ast.Call:
        """The call that makes CONTRACT. Raises `EditError`."""
        for each in self.tree.body:
            value = assigned(each, "CONTRACT")
            if isinstance(value, ast.Call):
                return value
        raise EditError("there is no CONTRACT = Contract(...) in the file: edit it by hand")

    @cached_property
    def constants(self) -> Mapping[str, str]:
        """The module's string constants, such as `AGE = "age"`: name -> string."""
        return {
            target.id: each.value.value
            for each in self.tree.body
            if isinstance(each, ast.Assign)
            and isinstance(each.value, ast.Constant)
            and isinstance(each.value.value, str)
            for target in each.targets
            if isinstance(target, ast.Name)
        }

    def stated(self, name: str) -> ast.expr | None:
        """The contract's argument *name*; None if it is missing."""
        named = [each.value for each in self.contract.keywords if each.arg == name]
        place = _PLACES.get(name, len(self.contract.args))
        return (*self.contract.args[place : place + 1], *named, None)[0]

    def function(self, name: str) -> ast.FunctionDef | None:
        """The module's function of that name, the last one; None without one."""
        found = [each for each in self.tree.body if isinstance(each, ast.FunctionDef) and each.name == name]
        return found[-1] if found else None

    def words(self, within: Listing) -> list[str | None]:
        """The strings of a list's elements; None for an element that is not a string."""
        return [self.word(each) for each in within.elts]

    def word(self, node: ast.expr) -> str | None:
        """The string of *node*, a literal or a module's constant; None if it is neither."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        return self.constants.get(node.id) if isinstance(node, ast.Name) else None

    def edited(self, edits: Iterable[Edit]) -> str:
        """The text with all *edits* applied."""
        text = self.text
        for start, end, words in sorted(edits, reverse=True):
            text = text[:start] + words + text[end:]
        ast.parse(text)
        return text


def assigned(each: ast.stmt, name: str) -> ast.expr | None:
    """The value that the statement assigns to *name*; None if it does not assign it."""
    if isinstance(each, ast.AnnAssign):
        return each.value if isinstance(each.target, ast.Name) and each.target.id == name else None
    if not isinstance(each, ast.Assign):
        return None
    found = any(isinstance(target, ast.Name) and target.id == name for target in each.targets)
    return each.value if found else None

"""The threat model names a test for every right; each of them exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/explanation/threat-model.md").read_text()
ROWS = re.findall(r"^\| \*\*(.+?)\*\*(.*)\|$", TEXT, re.MULTILINE)
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)` `(test_\w+)`", TEXT)))


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda value: value.rpartition("/")[2])
def test_a_test_that_the_threat_model_names_exists(path, name):
    """A renamed or removed one would leave a claim that nothing shows."""
    functions = [each.name for each in ast.parse((ROOT / path).read_text()).body if isinstance(each, ast.FunctionDef)]

    assert name in functions


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_right_has_a_test_and_says_what_it_is_not_enough_for(row):
    """Can, cannot, shown by."""
    _, can, cannot, shown, *_ = row[1].split("|")

    assert can.strip()
    assert cannot.strip()
    assert re.search(r"`tests/[\w/]+\.py` `test_\w+`", shown)


def test_every_right_is_there():
    """Those that an attacker may have, from none to all."""
    rights = " ".join(right for right, _ in ROWS).lower()

    for right in ("fork", "read", "write", "recipe", "admin", "store's disk", "journal's bucket", "network"):
        assert right in rights

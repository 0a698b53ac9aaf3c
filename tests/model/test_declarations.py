"""Messages name the line on which a field is declared, however the recipe is written."""

import sys
from types import SimpleNamespace

import pytest

from model.declarations import Declared, declared
from model.train import read_recipe

FUNCTIONS = """
def window(today): ...
def load(start, end): ...
def estimator(): ...
"""
CONTRACT = """from model.contract import Contract, Feature, Target
CONTRACT = Contract(
    "shop", "binary",
    features=(
        {features},
    ),
    target=Target("bought", (False, True)),
    key="visitor",
    time="at",
)
"""


def places(path):
    """The recipe's places, without the file's name where that is the recipe's."""
    found = declared(read_recipe(path))
    return {name: place.removeprefix(f"{path.name}:") for name, place in found.places.items()}


@pytest.mark.parametrize(
    ("before", "features", "age"),
    [
        ("", 'Feature("age", "number")', "5"),
        ("", 'Feature(\n            kind="number",\n            name="age",\n        )', "5"),
        ("", '*[Feature(name, "number") for name in ("age", "pages")]', "5"),
        ('AGE = "age"\n', 'Feature(AGE, "number")', "6"),
        ('NAMES = ["age"]\n', '*(Feature(each, "number") for each in NAMES)', "1"),
        ("def number(name):\n    return Feature(name, 'number')\n\n\n", 'number("age")', "9"),
        ("AGES = ()\nAGES += ('age',)\n", '*[Feature(each, "number") for each in AGES]', "2"),
        ('OLD = ["age"]\n', 'Feature("ag" + "e", "number")', "3"),
    ],
)
def test_a_feature_is_where_its_name_is_stated(tmp_path, before, features, age):
    """By `Feature`, by a name of the module's, in what a loop goes over; else where CONTRACT is."""
    path = tmp_path / "shop.py"
    path.write_text(before + CONTRACT.format(features=features) + FUNCTIONS)

    assert places(path)["age"] == age


def test_target_key_time_and_functions_have_their_lines(tmp_path):
    """Functions with parentheses: a field may be called load."""
    path = tmp_path / "shop.py"
    path.write_text(CONTRACT.format(features='Feature("load", "number")') + FUNCTIONS)

    assert places(path) == {
        "load": "5",
        "bought": "7",
        "visitor": "8",
        "at": "9",
        "window()": "12",
        "load()": "13",
        "estimator()": "14",
    }


def test_what_another_file_of_the_users_declares_is_found_there(tmp_path, monkeypatch):
    """The features, or the whole contract; not what a library of the same words has."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "shop_fields.py").write_text(
        'from model.contract import Feature\n\nAGE = Feature("age", "number")\nNAMES = ["pages"]\n'
    )
    features = 'shop_fields.AGE, *(Feature(each, "number") for each in shop_fields.NAMES)'
    (tmp_path / "shop_contract.py").write_text("import shop_fields\n" + CONTRACT.format(features=features))
    path = tmp_path / "shop.py"
    path.write_text("from shop_contract import CONTRACT\n" + FUNCTIONS)

    found = places(path)
    assert found["age"] == "shop_fields.py:3"
    assert found["pages"] == "shop_fields.py:4"
    assert found["visitor"] == "shop_contract.py:9"
    for name in ("shop_fields", "shop_contract"):
        sys.modules.pop(name)


def test_a_recipe_without_a_text_has_places_without_a_line():
    """One that is made in memory, with functions that Python has no line of."""
    contract = SimpleNamespace(columns=[SimpleNamespace(name="a")], target=SimpleNamespace(name="y"), key="k", time="t")
    recipe = SimpleNamespace(CONTRACT=contract, __file__="nowhere.py", window=len, load=len, estimator=len)

    assert set(declared(recipe).places.values()) == {"nowhere.py"}
    assert Declared().at("a") == ""
    assert declared(recipe).at("a") == "nowhere.py: "


def test_the_default_recipe_has_a_line_for_each_field(root):
    """The line that a data scientist looks at."""
    path = root / "model/recipe.py"
    recipe, lines = read_recipe(path), path.read_text().splitlines()
    found = places(path)

    for name in (*recipe.CONTRACT.feature_names, "late", "flight", "scheduled_at"):
        line = int(found[name])
        assert f'"{name}"' in "".join(lines[line - 1 : line + 1])

"""Features with no shown benefit are proposed to be dropped, once, and the gate answers."""

import json

import pytest

from contracts.row_contract import Contract, Feature, Target
from forge.local.folder_forge import LocalForge
from model.__main__ import OK, main
from model.features.prune import pruned
from model.train import read_recipe


def verdict(**benefits):
    features = [
        {"name": name, "benefit": (low + high) / 2, "low": low, "high": high, "shown": low > 0}
        for name, (low, high) in benefits.items()
    ]
    return {"candidate": {"version": "20261101T0300-abcdef0"}, "features": features}


def test_what_may_be_no_benefit_is_dropped_the_least_useful_first(root):
    """One proposal, with its figures."""
    recipe = root / "model/recipe.py"
    found = pruned(
        verdict(temp=(0.001, 0.002), visib=(-0.001, 0.001), wind=(-0.003, 0.001)),
        read_recipe(recipe).CONTRACT,
        recipe.read_text(),
    )

    assert found.names == ("wind", "visib")
    assert found.title == "Drop 2 features without significant permutation importance: wind, visib"
    assert "| wind | -0.00100 (-0.00300 to +0.00100) |" in found.body
    assert "temp" not in found.body


def test_where_nothing_was_measured_or_all_are_of_use_nothing_is_proposed(root):
    """With the reason."""
    recipe = root / "model/recipe.py"
    contract, text = read_recipe(recipe).CONTRACT, recipe.read_text()

    assert pruned({}, contract, text).why.endswith("measured no feature of this recipe")
    assert pruned(verdict(temp=(0.001, 0.002)), contract, text).names == ()


HEAD = """\
from contracts.row_contract import Contract, Feature, Target

KINDS = {"temp": "number", "visib": "number", "wind": "number"}
"""
TARGET = 'Target("late", ("no", "yes"))'
BY_NAME = f'CONTRACT = Contract(name="x", task="binary", key="id", time="at", target={TARGET}, features=%s)\n'
LISTED = '[Feature("temp", "number"), Feature("visib", "number"), Feature("wind", "number")]'
#: how a recipe lists its features -> the reason why its text cannot be edited
NOT_LISTED = {
    "another file": ("from shared import FEATURES\n" + BY_NAME % "FEATURES", "another file"),
    "another module": ("import shared\n" + BY_NAME % "shared.FEATURES", "not a plain list"),
    "comprehension": (BY_NAME % "[Feature(n, k) for n, k in KINDS.items()]", "not a plain list"),
    "generated": (BY_NAME % "tuple(Feature(n, k) for n, k in KINDS.items())", "not a plain list"),
    "added": (BY_NAME % f"{LISTED} + []", "not a plain list"),
    "starred": (f"FEATURES = {LISTED}\n" + BY_NAME % "[*FEATURES]", "not among"),
    "by position": ("CONTRACT = Contract(*SHARED)\n", "not a plain list"),
    "no contract": ("from shared import CONTRACT\n", "no CONTRACT"),
    "made by a function": ("CONTRACT = build()\n", "not a plain list"),
    "retired elsewhere": (BY_NAME % f"{LISTED}, retired=OLD", "not a plain list"),
}


def contract_of_three():
    features = tuple(Feature(name, "number") for name in ("temp", "visib", "wind"))
    target = Target("late", ("no", "yes"))
    return Contract(name="x", task="binary", key="id", time="at", target=target, features=features)


@pytest.mark.parametrize(("text", "why"), NOT_LISTED.values(), ids=NOT_LISTED)
def test_a_recipe_that_does_not_list_its_features_is_left_to_a_person(text, why):
    """With the features and the reason; it is no error."""
    found = pruned(verdict(wind=(-1, 1)), contract_of_three(), HEAD + text)

    assert found.names == ()
    assert "- wind: " in found.why
    assert why in found.why


def test_what_the_recipe_lists_is_dropped_and_the_rest_is_reported():
    """One starred list does not keep the other features from being proposed."""
    starred = 'MORE = [Feature("wind", "number")]\n'
    listed = '[*MORE, Feature("temp", "number"), Feature("visib", "number")]'
    text = HEAD + starred + BY_NAME % listed
    found = pruned(verdict(wind=(-2, 1), visib=(-1, 1)), contract_of_three(), text)

    assert found.names == ("visib",)
    assert "wind" not in found.body + found.title
    assert "- wind: " in found.why


def test_the_monthly_command_ends_well_where_it_cannot_edit(root, tmp_path, monkeypatch, capsys):
    """The job's summary says what a person may do."""
    listed = (root / "model/recipe.py").read_text()
    (tmp_path / "shared_features.py").write_text(listed)
    (tmp_path / "recipe.py").write_text(
        f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n"
        "from shared_features import CONTRACT, estimator, load, window\n"
    )
    (tmp_path / "verdict.json").write_text(json.dumps(verdict(visib=(-1, 1))))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    words = ["feature", "prune", "--verdict", "verdict.json", "--forge", "forge", "--recipe", "recipe.py"]

    assert main(words) == OK
    assert LocalForge(tmp_path / "forge").proposals() == []
    for said in ((tmp_path / "summary.md").read_text(), capsys.readouterr().out):
        assert "- visib: there is no CONTRACT = Contract(...) in the file" in said


def test_one_pull_request_changes_the_recipe_alone(root, tmp_path, monkeypatch, capsys):
    """And is refreshed, not repeated."""
    (tmp_path / "recipe.py").write_text((root / "model/recipe.py").read_text())
    (tmp_path / "verdict.json").write_text(json.dumps(verdict(visib=(-1, 1), origin=(-1, 1))))
    monkeypatch.chdir(tmp_path)
    words = ["feature", "prune", "--verdict", "verdict.json", "--forge", "forge", "--recipe", "recipe.py"]

    assert main(words) == OK
    assert main(words) == OK
    forge = LocalForge(tmp_path / "forge")
    (proposal,) = forge.proposals()
    text = forge.read("recipe.py", "features")
    assert proposal.title == "Drop 2 features without significant permutation importance: visib, origin"
    assert proposal.files == ("recipe.py",)
    (tmp_path / "recipe.py").write_text(text)
    assert [each.name for each in read_recipe(tmp_path / "recipe.py").CONTRACT.retired] == ["visib", "origin"]
    assert "slices=()" in text
    assert "proposal 1 on branch features" in capsys.readouterr().out

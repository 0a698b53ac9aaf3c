"""Features with no shown benefit are proposed to be dropped, once, and the gate answers."""

import json

from forge.local import LocalForge
from model.__main__ import OK, main
from model.prune import pruned
from model.train import read_recipe


def verdict(**benefits):
    features = [
        {"name": name, "benefit": (low + high) / 2, "low": low, "high": high, "shown": low > 0}
        for name, (low, high) in benefits.items()
    ]
    return {"candidate": {"version": "20261101T0300-abcdef0"}, "features": features}


def test_what_may_be_no_benefit_is_dropped_the_least_useful_first(root):
    """One proposal, with its figures."""
    contract = read_recipe(root / "model/recipe.py").CONTRACT
    found = pruned(
        verdict(temp=(0.001, 0.002), visib=(-0.001, 0.001), wind=(-0.003, 0.001)), contract
    )

    assert found.names == ("wind", "visib")
    assert found.title == "Drop 2 features with no shown benefit: wind, visib"
    assert "| wind | -0.00100 (-0.00300 to +0.00100) |" in found.body
    assert "temp" not in found.body


def test_where_nothing_was_measured_or_all_are_of_use_nothing_is_proposed(root):
    """With the reason."""
    contract = read_recipe(root / "model/recipe.py").CONTRACT

    assert pruned({}, contract).why == "the verdict measured no feature of this recipe"
    assert pruned(verdict(temp=(0.001, 0.002)), contract).names == ()


def test_one_pull_request_changes_the_recipe_alone(root, tmp_path, monkeypatch, capsys):
    """And is refreshed, not repeated."""
    (tmp_path / "recipe.py").write_text((root / "model/recipe.py").read_text())
    (tmp_path / "verdict.json").write_text(json.dumps(verdict(visib=(-1, 1), origin=(-1, 1))))
    monkeypatch.chdir(tmp_path)
    words = ["feature", "prune", "--verdict", "verdict.json", "--forge", "forge", "--recipe", "recipe.py"]  # fmt: skip

    assert main(words) == OK
    assert main(words) == OK
    forge = LocalForge(tmp_path / "forge")
    (proposal,) = forge.proposals()
    text = forge.read("recipe.py", "features")
    assert proposal.title == "Drop 2 features with no shown benefit: visib, origin"
    assert proposal.files == ("recipe.py",)
    (tmp_path / "recipe.py").write_text(text)
    assert [each.name for each in read_recipe(tmp_path / "recipe.py").CONTRACT.retired] == ["visib", "origin"]  # fmt: skip
    assert "slices=()" in text
    assert "proposal 1 on branch features" in capsys.readouterr().out

"""The drill's quick part: a few faults of each kind, through the real gate; `make drill` holds it whole."""

import ast
import json
import os
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from drill import case_outcome, score
from drill.__main__ import main
from drill.faults import FAMILIES
from drill.make import cases_of, read
from drill.peer_suites import _shown
from model.train import read_recipe

pytestmark = pytest.mark.slow

#: One of each family: training refuses one, export another, the bundle's seal stops a third, rules the others.
QUICK = (
    "a class gone",
    "class order swapped",
    "target copied",
    "digest tampered with",
    "dtype changed",
    "trained on noise",  # of both models, and of the release model alone
)


@pytest.fixture(scope="module")
def held(root, tmp_path_factory):
    """The folder of a drill on the small shop."""
    out = tmp_path_factory.mktemp("drill")
    recipe = root / "tests/recipes/buys.py"
    words = ["--recipe", str(recipe), "--today", "2026-02-20", "--clean", "0", "--seed", "1", "--out", str(out)]
    assert main(["make", *words, "--only", *QUICK]) == 0
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(
        [root / ".venv/checks/bin/python", "-m", "drill", "judge", "--out", out],
        cwd=root,
        env=environment,
        check=True,
        capture_output=True,
    )
    return out


def test_each_is_caught_for_its_own_reason(held):
    """By no more than concerns it, whoever it is that stops it."""
    found = json.loads((held / "drill.json").read_text())

    assert {each["name"]: (each["decision"], each["own"][0]) for each in found["faults"]} == {
        "target copied": ("REJECT", "leak.solo"),
        "dtype changed": ("REFUSED", "train.contract"),
        "trained on noise": ("REJECT", "compare.log_loss"),
        "release model trained on noise": ("REJECT", "release.fit"),
        "a class gone": ("REFUSED", "train.data"),
        "class order swapped": ("REFUSED", "export.parity"),
        "digest tampered with": ("CANNOT JUDGE", "gate.cannot_judge"),
    }
    assert [each["beyond"] for each in found["faults"]] == [[]] * 7
    assert found["score"] | {"clean": 0, "rejected": 0} == {
        "faults": 7,
        "caught": 7,
        "precisely": 7,
        "clean": 0,
        "rejected": 0,
        "left_out": 0,
    }


def test_what_has_no_bundle_has_rows_for_those_who_look_at_rows(held):
    """The others are shown what training refused."""
    gone = read(next(path for path in held.glob("0/*/case.json") if "a class gone" in path.read_text()))

    assert (held / "0/labels-3/raw/holdout.parquet").is_file()
    assert _shown(gone, _contract(held))["train"].endswith("raw/train.parquet")


def test_the_catalogue_is_whole():
    """Every name once, each with a rule that should name it; most have variants."""
    faults = [fault for each in FAMILIES.values() for fault in each]

    assert list(FAMILIES) == ["leakage", "labels", "data", "rows", "model", "export", "process", "pipeline"]
    assert len({fault.name for fault in faults}) == len(faults) >= 90
    assert sum(fault.draw is not None for fault in faults) >= 40
    assert [fault.name for fault in faults if not fault.rules] == []
    assert len(cases_of(50)) == len(faults) + 51


def test_every_rule_that_is_expected_exists():
    """A misspelt one would be a fault that nothing can catch."""
    known = {
        "train.contract",
        "train.data",
        "train.recipe",
        "export.parity",
        "export.graph",
        "gate.cannot_judge",
        "bundle.scores",
        "model.calibration",
        "model.gain",
        "model.degradation",
        "data.missing",
        "data.variants",
        "data.duplicates",
        "data.label_correlation",
        "data.time_overlap",
        "drift.new_categories",
        "release.fit",
        *_examined(),
    }
    asked_for = {rule for each in FAMILIES.values() for fault in each for rule in fault.rules}
    later = ("upstream.*", "serving.*", "slice*", "calibration*", "compare.*")
    families = {f"{name}.*" for name in ("champion", "contract", "data", "drift", "labels", "leak")}

    unknown = {rule for rule in asked_for - families if not any(fnmatch(name, rule) for name in known)}
    assert {rule for rule in unknown if not any(fnmatch(rule, each) for each in later)} == set()


@pytest.mark.parametrize("script", ["deepchecks_stock", "evidently_presets"])
def test_a_peers_script_imports_modules_that_exist(root, script):
    """It runs in an environment without the project: beside it, of its library, or of Python."""
    tree = ast.parse((root / f"drill/peers/{script}.py").read_text())
    imported = {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    beside = {path.stem for path in (root / "drill/peers").glob("*.py")}

    assert imported - beside - set(sys.stdlib_module_names) <= {"deepchecks", "evidently"}


def test_a_rule_that_holds_the_unchanged_candidate_names_no_fault():
    """Neither does a rule that has nothing to do with the fault."""
    case = {"family": "labels", "name": "n", "what": "w", "rules": ["champion.*"], "also": [], "harm": 0.1}
    answer = case_outcome.Answer(
        "HOLD", "champion.log_loss fails: ...", ("champion.log_loss",), (), ("compare.log_loss",)
    )

    assert case_outcome.outcome(case, answer)["named"]
    assert not case_outcome.outcome(case, answer, ("champion.log_loss",))["named"]
    assert not case_outcome.outcome(case | {"rules": ["leak.*"]}, answer)["named"]
    assert case_outcome.outcome(case, answer)["open"] == ["compare.log_loss"]


def test_a_score_counts_what_was_caught_and_by_what_else():
    """A clean candidate that is held is not rejected."""
    faults = [
        {"caught": True, "beyond": []},
        {"caught": True, "beyond": ["model.gain"]},
        {"caught": False, "beyond": []},
    ]
    clean = [{"decision": "PROMOTE"}, {"decision": "HOLD"}, {"decision": "REJECT"}]
    found = score.score(faults, clean)

    assert found == {"faults": 3, "caught": 2, "precisely": 1, "clean": 3, "rejected": 1, "left_out": 0}
    assert score.sentence(found).startswith("2 of 3 faults caught by the expected rules")
    assert score.sentence(score.score(faults, clean, [{}])).endswith("; 1 does not apply to this recipe")


def _contract(held):
    found = json.loads((held / "subject.json").read_text())
    return read_recipe(Path(found["recipe"])).CONTRACT


def _examined():
    """The names of our own rules, from the text: the gate's environment has what they import."""
    import re

    text = (Path(__file__).parents[2] / "checks/rules/registry.py").read_text()
    return re.findall(r'^    "([a-z_.]+)": lambda', text, re.MULTILINE)

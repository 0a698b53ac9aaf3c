"""Passwords of a recipe come from .env or from one secret, and no message and no bundle has them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.__main__ import NO_MODEL, OK, main
from model.source_profile import recipe_secrets
from model.source_profile.recipe_secrets import hide, set_secrets

ROOT = Path(__file__).parents[2]
PASSWORD = "tro1car-b4ttery"
RECIPE = """
import os
from docs.generate.estimator_table import contract, rows as made, window
from sklearn.ensemble import HistGradientBoostingClassifier

CONTRACT = contract("binary")

def load(start, end):
    address = os.environ["SHOP_URL"]
    @FAIL@
    return made("binary", start, end)

def estimator():
    return HistGradientBoostingClassifier(max_iter=3)
"""


@pytest.mark.parametrize("where", ["file", "variable"])
@pytest.mark.parametrize(
    ("fail", "code"),
    [
        ("", OK),
        ("raise OSError(f'cannot reach {address}')", NO_MODEL),
        ("raise ValueError('password ' + address.split(':')[2].split('@')[0] + ' was refused')", NO_MODEL),
        ("import warnings; warnings.warn(address)", OK),
    ],
)
def test_no_message_and_no_bundle_has_the_password(where, fail, code, tmp_path):
    """Whatever load() raises, also where the driver shows the password alone; the recipe got it."""
    (tmp_path / "recipe.py").write_text(RECIPE.replace("@FAIL@", fail))
    line = f"SHOP_URL=postgresql://reader:{PASSWORD}@db/shop\n"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    if where == "file":
        (tmp_path / ".env").write_text(f"# the shop\nexport {line}")
    else:
        environment["RECIPE_ENV"] = line
    command = ["-m", "model", "train", "--recipe", "recipe.py", "--out", "out", "--today", "2026-02-20"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *command, "--rules", ROOT / "checks/thresholds.toml"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert done.returncode == code, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    if code:
        assert "***" in done.stderr
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert [path.name for path in files if PASSWORD.encode() in path.read_bytes()] == []
    assert bool(files) == (code == OK)


def test_a_name_that_is_missing_is_asked_for(tmp_path, monkeypatch, capsys):
    """With the file and the secret to write it into, and why a fork's pull request has none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHOP_URL", raising=False)
    Path("recipe.py").write_text(RECIPE.replace("@FAIL@", ""))

    rules = str(ROOT / "checks/thresholds.toml")
    assert main(["check", "--recipe", "recipe.py", "--today", "2026-02-20", "--rules", rules]) == NO_MODEL
    said = capsys.readouterr().err
    assert "there is no 'SHOP_URL'" in said
    assert "write NAME=value into .env, and on GitHub into the secret RECIPE_ENV" in said


def test_a_value_that_is_set_stays(tmp_path):
    """The shell comes before the file; quotes are taken off, comments and other lines left out."""
    (tmp_path / ".env").write_text("# A=1\nA=from the file\nB='quoted value'\n\nno line\nC=\nD=x=y z\n")
    environment = {"A": "from the shell"}

    set_secrets(environment, tmp_path)

    assert environment == {"A": "from the shell", "B": "quoted value", "C": "", "D": "x=y z"}


def test_github_is_asked_to_hide_each_value(tmp_path, capsys):
    """The runner knows the whole text of the secret only."""
    set_secrets({"RECIPE_ENV": "TOKEN=abcdef-once\nZONE=UTC", "GITHUB_ACTIONS": "true"}, tmp_path)

    assert capsys.readouterr().out == "::add-mask::abcdef-once\n"
    assert hide("the token abcdef-once in UTC") == "the token *** in UTC"
    recipe_secrets._hidden.discard("abcdef-once")

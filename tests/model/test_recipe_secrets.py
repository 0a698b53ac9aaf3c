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


@pytest.fixture(autouse=True)
def streams(monkeypatch):
    """Streams and hidden values as they were before each test."""
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    yield
    recipe_secrets._hidden.clear()


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A folder to work in, an environment without the secret."""
    monkeypatch.chdir(tmp_path)
    for name in ("SHOP_URL", "RECIPE_ENV"):
        monkeypatch.setenv(name, "restored to what it was after the test")
        monkeypatch.delenv(name)
    return tmp_path


def words(recipe, fail):
    """The arguments that train on a recipe whose load() does *fail*."""
    recipe.write_text(RECIPE.replace("@FAIL@", fail))
    rules = str(ROOT / "checks/thresholds.toml")
    return ["train", "--recipe", recipe.name, "--out", "out", "--today", "2026-02-20", "--rules", rules]


def files_with_password(folder):
    """Names of the files in *folder* that have the password, and whether there is any file."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if PASSWORD.encode() in path.read_bytes()], bool(files)


@pytest.mark.parametrize("where", ["file", "variable"])
@pytest.mark.parametrize(
    ("fail", "code"),
    [
        ("", OK),
        ("raise OSError(f'cannot reach {address}')", NO_MODEL),
        ("raise ValueError('password ' + address.split(':')[2].split('@')[0] + ' was refused')", NO_MODEL),
    ],
)
def test_no_message_and_no_bundle_has_the_password(where, fail, code, shop, monkeypatch, capsys):
    """Whatever load() raises, also where the driver shows the password alone; the recipe got it."""
    line = f"SHOP_URL=postgresql://reader:{PASSWORD}@db/shop\n"
    if where == "file":
        (shop / ".env").write_text(f"# the shop\nexport {line}")
    else:
        monkeypatch.setenv("RECIPE_ENV", line)

    assert main(words(shop / "recipe.py", fail)) == code
    out, err = capsys.readouterr()
    assert PASSWORD not in out + err
    if code:
        assert "***" in err
    assert files_with_password(shop / "out") == ([], code == OK)


def test_nothing_that_the_process_prints_has_the_password(shop):
    """Warnings, logging, and what the recipe prints; in another process, since tests turn warnings into errors."""
    prints = "import logging, sys, warnings; warnings.warn(address); logging.error(address); print(address)"
    arguments = words(shop / "recipe.py", prints)
    line = f"SHOP_URL=postgresql://reader:{PASSWORD}@db/shop\n"
    done = subprocess.run(
        [sys.executable, "-m", "model", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "RECIPE_ENV": line},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert done.returncode == OK, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert ("***" in done.stdout, done.stderr.count("***") >= 2) == (True, True)
    assert files_with_password(shop / "out") == ([], True)


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

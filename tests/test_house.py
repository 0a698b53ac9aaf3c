"""Promises of the repository as a whole."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = sorted(ROOT.glob("requirements/*.txt"))


def pins(lock):
    """name -> the set of versions a lock allows (more than one where Pythons differ)."""
    found = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock.read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_a_lock_has_a_hash_for_each_package_and_no_address(lock):
    """What is installed is what was resolved, from wherever it comes."""
    text = lock.read_text()

    assert "://" not in text
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert re.match(r"[\w.-]+==\S+", block), block
        assert "--hash=sha256:" in block, block


def test_each_environment_has_a_lock():
    """And each lock the file it was resolved from."""
    assert {lock.stem for lock in LOCKS} == {
        "serve",
        "work",
        "checks",
        "test",
        "tools",
        "s3",
        "ship",
        "extra",
        "spark",
        "clients",
    }
    assert all(lock.with_suffix(".in").is_file() for lock in LOCKS)


def test_one_onnx_runtime_judges_exports_and_serves():
    """The gate judges what will be served: by the very same version."""
    versions = [
        pins(ROOT / f"requirements/{name}.txt")["onnxruntime"]
        for name in ("serve", "work", "checks")
    ]

    assert len(set(map(frozenset, versions))) == 1


def test_the_scorers_environment_is_slim():
    """None of what training, judging and watching need."""
    heavy = {"pandas", "scikit-learn", "deepchecks", "nannyml", "skl2onnx", "scipy", "pyarrow"}

    assert heavy & pins(ROOT / "requirements/serve.txt").keys() == set()


def test_deepchecks_lives_in_its_environment_alone():
    """It is AGPL and frozen to old libraries."""
    assert [lock.stem for lock in LOCKS if "deepchecks" in pins(lock)] == ["checks"]


def test_configuration_is_in_pyproject_alone():
    """No second place to look."""
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    others = [
        "setup.cfg",
        "tox.ini",
        "pytest.ini",
        "mypy.ini",
        "ruff.toml",
        ".flake8",
        ".coveragerc",
    ]

    assert {"pytest", "ruff", "mypy"} <= configured.keys()
    assert [name for name in others if (ROOT / name).exists()] == []

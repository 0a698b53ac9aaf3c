"""Promises of the repository as a whole."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

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


MAKEFILE = (ROOT / "Makefile").read_text()


def test_pre_commit_calls_the_linters_of_make_lint():
    """All of them, from the environments of the project, so there is one version of each."""
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = repository["hooks"]
    called = {hook["entry"].removesuffix(" --force-exclude") for hook in hooks}

    assert repository["repo"] == "local"
    assert {hook["language"] for hook in hooks} == {"system"}
    (parts,) = re.findall(r"^lint: ([a-z -]+) ##", MAKEFILE, re.MULTILINE)
    made = [entry.removeprefix("make ") for entry in called if entry.startswith("make ")]
    assert set(parts.split()) == {"lint-code", *made}
    (code,) = re.findall(r"^lint-code:.*\n((?:\t.+\n)+)", MAKEFILE, re.MULTILINE)
    for line in code.splitlines():
        command = line.strip().removesuffix(" .").removesuffix(" --check")
        assert command in called


def test_the_development_container_has_a_python_that_the_project_takes():
    """And makes its environments with a target that exists."""
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]

    assert required == ">=3.11,<3.13"
    assert container["image"].endswith(":3.12")
    target = container["postCreateCommand"].removeprefix("make ")
    assert f"\n{target}: " in MAKEFILE


def test_the_citation_names_the_version_and_the_license_of_the_project():
    """As pyproject.toml does."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())

    assert citation["title"].lower() == project["name"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])


def test_packages_whose_types_are_checked_say_so():
    """Who imports them from another project, such as one with recipes, gets their types (PEP 561)."""
    for package in ("checks", "forge", "model", "monitoring", "serve"):
        assert (ROOT / package / "py.typed").is_file()

"""`python -m forge upgrade`: a newer version is merged, and what belongs to the user stays."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from forge.interface import ForgeError
from forge.upgrades.merged_thresholds import merge_thresholds
from forge.upgrades.template import Template, Version, parse_version
from forge.upgrades.upgrade import changes_between, upgrade

LIMITS = """# Every limit.

[gate]
rows = 500          # fewest rows
looks = 30          # most looks
                    # at one holdout

# The comparison.
[gate.compare]
margin = 0.01       # how much worse
anchor = { log_loss = 0.005, roc_auc = 0.01 }
"""
NEW_LIMITS = """# Every limit.

[gate]
rows = 400          # fewest rows, after a study
looks = 30          # most looks
                    # at one holdout
risk = 0.1          # chance of being worse
                    # by more than the margin

# The comparison.
[gate.compare]
margin = 0.004      # how much worse
anchor = { log_loss = 0.004, roc_auc = 0.01 }

# What is new.
[gate.release]
refit = true
"""
#: Files of the template's versions 0.1.0 and 0.2.0.
OLD = {
    "pyproject.toml": '[project]\nversion = "0.1.0"\n',
    "CHANGELOG.md": "# Changelog\n\n## 0.1.0\n\n- First.\n",
    ".gitattributes": "model/recipe.py merge=ours\nserve/live.toml merge=ours\nrequirements/recipe.in merge=ours\n",
    "model/recipe.py": "window = 28\n",
    "serve/live.toml": "",
    "checks/thresholds.toml": LIMITS,
    "forge/land.py": "a = 1\nb = 2\nc = 3\nd = 4\ne = 5\n",
    "bench/speed.py": "fast = 1\n",
    "serve/server.py": "port = 8000\n",
}
NEW = OLD | {
    "pyproject.toml": '[project]\nversion = "0.2.0"\n',
    "CHANGELOG.md": "# Changelog\n\n## Unreleased\n\n- Later.\n\n## 0.2.0\n\n- Second.\n\n## 0.1.0\n\n- First.\n",
    "model/recipe.py": "window = 56  # a better example\n",
    "checks/thresholds.toml": NEW_LIMITS,
    "forge/land.py": "a = 1\nb = 2\nc = 3\nd = 4\ne = 50\n",
    "bench/speed.py": "fast = 2\n",
    "serve/server.py": "port = 8080\n",
    "requirements/recipe.in": "# what your recipe needs\n",
}


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(folder: Path, files: dict[str, str | None], message: str) -> None:
    if not (folder / ".git").exists():
        folder.mkdir(exist_ok=True)
        git(folder, "init", "--quiet")
        git(folder, "config", "user.name", "t")
        git(folder, "config", "user.email", "t@localhost")
    for path, text in files.items():
        if text is None:
            (folder / path).unlink()
        else:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A template with two versions, and work between and after them."""
    folder = tmp_path / "template"
    commit(folder, {"README.md": "before\n"}, "begin")
    commit(folder, OLD | {"README.md": "Tidegate\n"}, "0.1.0")
    git(folder, "tag", "v0.1.0")
    commit(folder, {"forge/land.py": "a = 1\nb = 2\nc = 3\nd = 4\ne = 6\n"}, "work in between")
    commit(folder, NEW, "0.2.0")
    git(folder, "tag", "v0.2.0")
    git(folder, "tag", "v0.3.0-rc1")
    commit(folder, {"README.md": "not released\n"}, "later")
    return folder


def repository(tmp_path: Path, template: Path, made_from: str = "v0.1.0") -> Path:
    """A repository made from a commit of the template, as GitHub does: one commit, with another history."""
    mine = tmp_path / "mine"
    git(tmp_path, "clone", "--quiet", "--no-tags", str(template), str(mine))
    tree = git(template, "rev-parse", f"{made_from}^{{tree}}").strip()
    first = git(mine, "commit-tree", tree, "-m", "Initial commit").strip()
    git(mine, "switch", "--quiet", "--detach", first)
    git(mine, "branch", "--quiet", "-D", "main")
    git(mine, "switch", "--quiet", "-c", "main")
    git(mine, "config", "user.name", "t")
    git(mine, "config", "user.email", "t@localhost")
    return mine


def merged(mine: Path, path: str) -> str:
    return git(mine, "show", f"upgrade/v0.2.0:{path}")


def test_a_new_version_is_merged_and_what_is_yours_stays(tmp_path: Path, template: Path) -> None:
    mine = repository(tmp_path, template)
    commit(
        mine,
        {
            "model/recipe.py": "window = 14  # mine\n",
            "serve/live.toml": 'champion = "20260101T0000-abcdef0"\n',
            "forge/land.py": "a = 10  # a hot fix\nb = 2\nc = 3\nd = 4\ne = 5\n",
            "checks/thresholds.toml": LIMITS.replace("looks = 30 ", "looks = 7 ").replace("0.01 ", "0.02 "),
            "bench/speed.py": None,
        },
        "mine",
    )
    (mine / "unfinished.txt").write_text("an edit\n")
    before = git(mine, "status", "--porcelain", "--branch")

    done = upgrade(Template(mine, str(template)))

    assert done is not None
    assert (done.old, done.version, done.conflicts) == (Version(0, 1, 0), Version(0, 2, 0), ())
    assert git(mine, "status", "--porcelain", "--branch") == before
    assert merged(mine, "model/recipe.py") == "window = 14  # mine\n"
    assert "abcdef0" in merged(mine, "serve/live.toml")
    assert merged(mine, "forge/land.py") == "a = 10  # a hot fix\nb = 2\nc = 3\nd = 4\ne = 50\n"
    assert merged(mine, "serve/server.py") == "port = 8080\n"
    assert merged(mine, "requirements/recipe.in") == NEW["requirements/recipe.in"]
    assert "bench/speed.py" not in git(mine, "ls-tree", "-r", "--name-only", "upgrade/v0.2.0")
    limits = merged(mine, "checks/thresholds.toml")
    assert "looks = 7 " in limits
    assert "margin = 0.02 " in limits
    assert "risk = 0.1          # chance of being worse\n                    # by more than the margin\n" in limits
    assert "`bench/speed.py` stays removed" in done.body
    assert "`gate.compare.margin` stays 0.02: its default is now 0.004" in done.body
    assert "- Second." in done.body
    assert "First." not in done.body
    assert "Later." not in done.body


def test_a_second_upgrade_finds_nothing_to_do(tmp_path: Path, template: Path) -> None:
    mine = repository(tmp_path, template)
    assert upgrade(Template(mine, str(template)))
    git(mine, "merge", "--quiet", "--squash", "upgrade/v0.2.0")
    git(mine, "commit", "--quiet", "-m", "Upgrade")
    assert upgrade(Template(mine, str(template))) is None


def test_after_a_squashed_upgrade_the_next_begins_at_its_version(tmp_path: Path, template: Path) -> None:
    mine = repository(tmp_path, template)
    assert upgrade(Template(mine, str(template)))
    git(mine, "merge", "--quiet", "--squash", "upgrade/v0.2.0")
    git(mine, "commit", "--quiet", "-m", "Upgrade")
    commit(mine, {"forge/land.py": "a = 1\nb = 2\nc = 3\nd = 4\ne = 51  # mine\n"}, "a hot fix")
    commit(template, {"pyproject.toml": '[project]\nversion = "0.10.0"\n', "serve/server.py": "port = 1\n"}, "0.10.0")
    git(template, "tag", "v0.10.0")
    done = upgrade(Template(mine, str(template)))
    assert done is not None
    assert (str(done.version), done.conflicts) == ("v0.10.0", ())
    assert git(mine, "show", "upgrade/v0.10.0:forge/land.py").endswith("e = 51  # mine\n")


def test_a_repository_made_between_two_versions_is_merged_from_there(tmp_path: Path, template: Path) -> None:
    mine = repository(tmp_path, template, "v0.2.0~1")
    done = upgrade(Template(mine, str(template)))
    assert done is not None
    assert done.conflicts == ()
    assert merged(mine, "forge/land.py").endswith("e = 50\n")


def test_a_fork_with_the_template_s_history_is_upgraded_too(tmp_path: Path, template: Path) -> None:
    mine = tmp_path / "mine"
    git(tmp_path, "clone", "--quiet", "--branch", "v0.1.0", str(template), str(mine))
    git(mine, "switch", "--quiet", "-c", "main-of-mine")
    commit(mine, {"model/recipe.py": "window = 14\n"}, "mine")
    done = upgrade(Template(mine, str(template)))
    assert done is not None
    assert done.conflicts == ()
    assert merged(mine, "model/recipe.py") == "window = 14\n"


def test_lines_that_both_sides_changed_are_marked_and_named(tmp_path: Path, template: Path) -> None:
    mine = repository(tmp_path, template)
    commit(mine, {"serve/server.py": "port = 9000\n"}, "mine")
    done = upgrade(Template(mine, str(template)))
    assert done is not None
    assert done.conflicts == ("serve/server.py",)
    assert "<<<<<<<" in merged(mine, "serve/server.py")
    assert "- `serve/server.py`" in done.body


@pytest.mark.parametrize(
    ("to", "said"), [("v0.9.0", "has no version v0.9.0; it has v0.1.0, v0.2.0"), ("newest", "has no version newest")]
)
def test_an_unknown_version_is_refused(tmp_path: Path, template: Path, to: str, said: str) -> None:
    mine = repository(tmp_path, template)
    with pytest.raises(ForgeError, match=said):
        upgrade(Template(mine, str(template)), to)


def test_an_origin_that_is_not_found_is_asked_for(tmp_path: Path, template: Path) -> None:
    mine = repository(tmp_path, template)
    commit(mine, {"pyproject.toml": '[project]\nversion = "0.1.5"\n'}, "mine")
    with pytest.raises(ForgeError, match=r"BASE=v0\.2\.0"):
        upgrade(Template(mine, str(template)))
    done = upgrade(Template(mine, str(template)), base="v0.1.0")
    assert done is not None
    assert done.conflicts == ("pyproject.toml",)


def test_a_template_that_cannot_be_reached_is_said(tmp_path: Path, template: Path) -> None:
    mine = repository(tmp_path, template)
    with pytest.raises(ForgeError, match="git ls-remote failed"):
        upgrade(Template(mine, str(tmp_path / "nowhere")))


@pytest.mark.parametrize("edit", [("rows = 500", "rows = 600"), ("# Every limit.", "# Ours."), ("most looks", "looks")])
def test_values_and_comments_of_the_user_stay(edit: tuple[str, str]) -> None:
    found = merge_thresholds(LIMITS, LIMITS.replace(*edit), NEW_LIMITS)
    assert found is not None
    assert edit[1] in found.text
    assert "refit = true" in found.text
    assert "anchor = { log_loss = 0.004, roc_auc = 0.01 }" in found.text


def test_unchanged_thresholds_become_those_of_the_new_version() -> None:
    found = merge_thresholds(LIMITS, LIMITS, NEW_LIMITS)
    assert found is not None
    assert found.text == NEW_LIMITS
    assert "`gate.rows` is now 400" in found.remarks


def test_keys_that_the_new_version_lacks_go_unless_they_were_changed() -> None:
    without = LIMITS.replace("rows = 500          # fewest rows\n", "")
    found = merge_thresholds(LIMITS, LIMITS, without)
    assert found is not None
    assert found.text == without
    changed = LIMITS.replace("rows = 500", "rows = 600")
    found = merge_thresholds(LIMITS, changed, without)
    assert found is not None
    assert found.text == changed
    assert found.remarks == ["`gate.rows` stays 600: it has been removed"]


@pytest.mark.parametrize("text", ["[gate\n", "rows = \n", "a.b = 1\n[a]\nb = 2\n"])
def test_thresholds_that_are_no_toml_are_left_to_the_merge_of_lines(text: str) -> None:
    assert merge_thresholds(LIMITS, text, NEW_LIMITS) is None


def test_the_repository_s_own_thresholds_merge_with_themselves() -> None:
    text = Path("checks/thresholds.toml").read_text()
    found = merge_thresholds(text, text.replace("max_looks = 30", "max_looks = 9"), text)
    assert found is not None
    assert found.text == text.replace("max_looks = 30", "max_looks = 9")
    assert found.remarks == []


def test_versions_are_numbers() -> None:
    assert parse_version("v0.10.0") > parse_version("0.9.9")  # type: ignore[operator]
    assert [parse_version(text) for text in ("v1", "v0.3.0-rc1", "20260101T0000-abcdef0")] == [None] * 3


def test_changes_are_those_after_the_old_version() -> None:
    text = "# C\n\n## [Unreleased]\n\nx\n\n## [0.3.0] - 2026-12-01\n\nthree\n\n## 0.2.0\n\ntwo\n\n## 0.1.0\n\none\n"
    assert changes_between(text, Version(0, 1, 0), Version(0, 2, 0)) == "## 0.2.0\n\ntwo"
    assert "three" in changes_between(text, Version(0, 1, 0), Version(0, 3, 0))

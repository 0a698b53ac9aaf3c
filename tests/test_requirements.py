"""requirements/install.sh makes the first environment with venv, and gets Debian's package for it if it can."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NEEDED = {"bash", "cat", "chmod", "cp", "dirname", "flock", "head", "mkdir", "sha256sum", "touch"}
#: A Python 3.12 whose venv needs Debian's package; the file `package` says that it is installed.
PYTHON = """\
case "$*" in
    *ensurepip*) [ -e "$FAKED/package" ] ;;
    *"print("*) echo 3.12 ;;
    "-m venv"*) mkdir -p "$4/bin" && cp "$FAKED/installer" "$4/bin/python" ;;
    -VV) echo "Python 3.12.0" ;;
esac
"""
INSTALLER = 'echo "python $*" >>"$FAKED/calls"\n'
APT = """\
echo "apt-get $*" >>"$FAKED/calls"
case "$*" in *install*) touch "$FAKED/package" ;; esac
"""
NO_NETWORK = 'echo "apt-get $*" >>"$FAKED/calls"; echo "E: Unable to fetch" >&2; exit 100\n'
UPDATE = "apt-get -qq update"
INSTALL = "apt-get -qq install --yes python3.12-venv"
PIP = "python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tools.txt"
COMMAND = "type: sudo apt-get install python3.12-venv"


@pytest.fixture
def machine(tmp_path):
    """A repository with install.sh, and a PATH with what the script needs, a python3 and what is asked for."""
    (tmp_path / "requirements").mkdir()
    shutil.copy(ROOT / "requirements/install.sh", tmp_path / "requirements")
    (tmp_path / "requirements/tools.txt").write_text("uv==1\n")
    (tmp_path / "bin").mkdir()
    for name in NEEDED:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))

    def script(path, text):
        path.write_text(f"#!/bin/bash\n{text}")
        path.chmod(0o755)

    def install(user, apt, has_venv):
        script(tmp_path / "bin/python3", PYTHON)
        script(tmp_path / "installer", INSTALLER)
        script(tmp_path / "bin/id", f"echo {user}\n")
        if apt:
            script(tmp_path / "bin/apt-get", apt)
        if has_venv:
            (tmp_path / "package").touch()
        done = subprocess.run(
            [tmp_path / "requirements/install.sh", "tools"],
            env={"PATH": str(tmp_path / "bin"), "FAKED": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        calls = tmp_path / "calls"
        return done, calls.read_text().splitlines() if calls.exists() else []

    return install


@pytest.mark.parametrize(
    ("user", "apt", "has_venv", "calls"),
    [(0, APT, True, [PIP]), (1000, None, True, [PIP]), (0, APT, False, [UPDATE, INSTALL, PIP])],
    ids=["with venv", "with venv and no apt", "root without venv"],
)
def test_the_first_environment_is_made(machine, tmp_path, user, apt, has_venv, calls):
    """By pip, from the lock; the package that venv needs comes from apt if it is missing and root asks."""
    done, called = machine(user, apt, has_venv)

    assert (done.returncode, done.stderr) == (0, "")
    assert called == calls
    assert (tmp_path / ".venv/tools/installed").is_file()


@pytest.mark.parametrize(
    ("user", "apt", "calls", "remedy"),
    [(1000, APT, [], COMMAND), (0, None, [], "make setup PYTHON="), (0, NO_NETWORK, [UPDATE], COMMAND)],
    ids=["not root", "no apt", "apt fails"],
)
def test_the_command_to_type_is_printed(machine, tmp_path, user, apt, calls, remedy):
    """Where the package cannot be installed; the next run starts over."""
    done, called = machine(user, apt, has_venv=False)

    assert done.returncode == 2
    assert remedy in done.stderr
    assert called == calls
    assert not (tmp_path / ".venv/tools").exists()
    if os.path.exists(tmp_path / "bin/apt-get"):
        (tmp_path / "bin/apt-get").unlink()
    done, called = machine(user, None, has_venv=True)
    assert done.returncode == 0
    assert called[-1] == PIP


def test_no_index_is_named():
    """Where packages come from is the user's setting."""
    for path in (ROOT / "requirements").iterdir():
        assert "://" not in path.read_text(), path.name

"""The forge in a folder: readable with an editor, right when two write, whole when one dies."""

import errno
import json
import os
import subprocess
import sys
import threading

import pytest

from contracts.live_config import Live, parse_live, with_champion
from forge.interface import ForgeError
from forge.local.folder_forge import LocalForge
from forge.opening import open_forge
from forge.records import read_record

pytestmark = pytest.mark.slow

LIVE = "serve/live.toml"
DIGEST = "sha256:" + "0" * 64
A, B = "20260101T0000-aaaaaaa", "20260102T0000-bbbbbbb"


def land(forge, version):
    forge.propose("retrain", version, "", {LIVE: with_champion(Live(), version, DIGEST).to_toml()})
    forge.status("retrain", True, "good")
    return forge.merge("retrain", version)


def git(folder, *words):
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "my forge"


@pytest.fixture
def local(folder):
    return LocalForge(folder)


def test_looking_makes_nothing(local, folder):
    """A folder appears with the first thing to keep."""
    local.read(LIVE)
    local.releases()
    local.alerts()

    assert not folder.exists()


def test_it_is_read_with_git_and_an_editor(local, folder, bundles):
    """The whole state is text."""
    local.upload(bundles[0].name, bundles[0])
    land(local, A)
    local.alert("watch", "Drift", "Look at **origin**.\n")

    assert git(folder / "repo", "log", "--format=%s").splitlines() == [A, "Nothing is live yet"]
    assert A in (folder / "repo" / LIVE).read_text()
    assert (folder / "alerts/0001.md").read_text().endswith("-->\nLook at **origin**.\n")
    assert sorted(path.name for path in folder.iterdir()) == ["alerts", "lock", "proposals", "releases", "repo"]


def test_a_revert_by_hand_is_history_like_any_other(local, folder):
    """One gesture: git revert."""
    land(local, A)
    commit = land(local, B)
    git(folder / "repo", "revert", "--no-edit", commit)

    assert parse_live(local.read(LIVE)).champion.version == A
    assert local.history(LIVE)[0].message == f'Revert "{B}"'


def test_the_history_has_every_text_as_it_was_committed(local, folder):
    """However it ends, also where it looks like what git prints; a file that was removed is empty."""
    land(local, A)
    begun = [change.text for change in local.history(LIVE)]
    texts = [b"no end of line", b"", b"\r\n\n", b"a missing\nb blob 3\n", b"\xff\n"]
    for text in texts:
        (folder / "repo" / LIVE).write_bytes(text)
        git(folder / "repo", "commit", "-qam", "by hand")
    git(folder / "repo", "rm", "-q", LIVE)
    git(folder / "repo", "commit", "-qm", "gone")

    found = [change.text for change in local.history(LIVE)]
    assert found == ["", *(text.decode(errors="replace") for text in reversed(texts)), *begun]
    assert local.history("no such file") == []


def test_an_edit_that_is_not_committed_is_never_lost(local, folder):
    """A merge would reset the working tree."""
    land(local, A)
    (folder / "repo" / LIVE).write_text("half an edit")
    with pytest.raises(ForgeError, match="changes that are not committed"):
        land(local, B)

    assert (folder / "repo" / LIVE).read_text() == "half an edit"
    assert parse_live(local.read(LIVE)).champion.version == A


def test_a_repository_that_is_on_another_branch_is_left_alone(local, folder):
    """Somebody is looking at something."""
    land(local, A)
    git(folder / "repo", "checkout", "--quiet", "-b", "mine")

    with pytest.raises(ForgeError, match="not on main"):
        land(local, B)


def test_a_users_own_git_settings_do_not_count(local, folder, monkeypatch, tmp_path):
    """Neither hooks, nor signing, nor a GIT_DIR that a hook left in the environment."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    settings = tmp_path / "gitconfig"
    settings.write_text("[commit]\n gpgsign = true\n[core]\n hooksPath = /nowhere\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))

    assert land(local, A)
    assert not (tmp_path / "elsewhere").exists()


def test_a_forge_inside_another_repository_stays_out_of_it(tmp_path):
    """.forge lies in the user's checkout, whose history it does not touch."""
    git(tmp_path, "init", "--quiet")
    local = LocalForge(tmp_path / ".forge")
    land(local, A)

    assert git(tmp_path, "log", "--all", "--format=%s") == ""


def test_a_record_that_was_spoilt_is_named(local, folder):
    """And nothing is guessed."""
    local.alert("watch", "Drift", "")
    (folder / "alerts/0001.md").write_text("no hidden line\n")

    with pytest.raises(ForgeError, match=r"0001\.md cannot be read: the first line is not"):
        local.alerts()


def test_what_a_kill_left_behind_is_no_release_and_no_repository(local, folder, bundles):
    """Folders get their name when they are whole."""
    left = folder / "releases/.unfinished-x"
    left.mkdir(parents=True)
    (left / "release.md").write_text("half")
    (folder / ".unfinished-y/repo").mkdir(parents=True)
    assert local.releases() == []
    local.upload(bundles[0].name, bundles[0])

    assert [release.version for release in local.releases()] == [bundles[0].name]
    assert not left.exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_said_and_leaves_everything_as_it_was(local, folder):
    """The draft of the record finds no space, as on a full disk."""
    local.alert("watch", "Drift", "before")
    (folder / f"alerts/.0001.md-{os.getpid()}").symlink_to("/dev/full")

    with pytest.raises(ForgeError, match=f"cannot be written.*{os.strerror(errno.ENOSPC)}.*nothing was changed"):
        local.alert("watch", "Drift", "after")
    assert local.alerts()[0].body == "before"


def test_threads_that_write_at_once_are_all_right(local):
    """Numbers are given once, updates are not lost."""

    def raise_alerts(n):
        for i in range(5):
            LocalForge(local.root).alert(f"marker {n}", f"{i}", "")

    threads = [threading.Thread(target=raise_alerts, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    alerts = local.alerts()
    assert sorted(alert.number for alert in alerts) == [1, 2, 3, 4]
    assert all(len(alert.history) == 5 for alert in alerts)


def test_processes_that_begin_at_once_make_one_repository(folder, root):
    """The lock is held across processes."""
    code = (
        "import sys; from forge.local.folder_forge import LocalForge; from pathlib import Path;"
        "LocalForge(Path(sys.argv[1])).alert(sys.argv[2], 't', '')"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(folder), f"m{n}"], cwd=root) for n in range(4)]

    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    assert len(open_forge(str(folder)).alerts()) == 4
    assert git(folder / "repo", "rev-list", "--count", "HEAD").strip() == "1"


def test_a_hidden_line_can_hold_what_would_end_it(local, folder):
    """A title may come from data."""
    local.alert("m", "a --> b", "")

    assert "-->" not in (folder / "alerts/0001.md").read_text().splitlines()[0][:-4]
    assert read_record(folder / "alerts/0001.md")[0]["title"] == "a --> b"
    line = (folder / "alerts/0001.md").read_text().splitlines()[0]
    assert json.loads(line.removeprefix("<!-- tidegate: ").removesuffix(" -->"))

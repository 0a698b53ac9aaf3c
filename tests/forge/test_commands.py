"""The commands a person types: land, merge, rollback, release, status, sync."""

import json
import shutil
import subprocess
import sys

import pytest

from bundles.bundle import Bundle
from contracts.live_config import Live, Slot, parse_live, with_champion
from forge.__main__ import FORGE, HELD, OK, REJECTED, USAGE, main
from forge.interface import Schedule
from forge.local.folder_forge import LocalForge
from forge.opening import open_forge

pytestmark = pytest.mark.slow

LIVE = "serve/live.toml"


class Killed(BaseException):
    """The process ends here, without a word."""


class Bench:
    """A forge with two bundles, and what a person types at it."""

    def __init__(self, folder, bundles):
        self.folder, self.forge = folder, LocalForge(folder / "forge")
        self.slots = []
        for path in bundles:
            bundle = Bundle.load(path)
            self.slots.append(Slot(bundle.version, bundle.digest))
            self.forge.upload(bundle.version, path)

    def type(self, command, *words, opening=open_forge):
        return main([command, *words, "--forge", str(self.forge.root)], opening)

    def live(self):
        champion = parse_live(self.forge.read(LIVE)).champion
        return champion.version if champion else ""

    def propose(self, slot):
        text = with_champion(parse_live(self.forge.read(LIVE)), slot.version, slot.digest).to_toml()
        return self.forge.propose("retrain", f"model {slot.version}", "the card", {LIVE: text})

    def verdict(self, slot, decision="PROMOTE", **changes):
        live = parse_live(self.forge.read(LIVE))
        named = {"version": slot.version, "digest": slot.digest}
        content = {"format": 1, "decision": decision, "summary": "as it is", "candidate": named} | changes
        for role, each in (("champion", live.champion), ("anchor", live.anchor)):
            content[role] = {"version": each.version, "digest": each.digest} if each else None
        path = self.folder / "verdict.json"
        path.write_text(json.dumps(content))
        return str(path)

    def land(self, slot, decision="PROMOTE", *words):
        self.propose(slot)
        return self.type("land", "--verdict", self.verdict(slot, decision), *words)

    def merge(self, slot):
        self.propose(slot)
        self.forge.status("retrain", True, "good")
        self.forge.merge("retrain", f"model {slot.version}")

    def states(self):
        return {release.version: release.state for release in self.forge.releases()}


@pytest.fixture
def bench(tmp_path, bundles):
    return Bench(tmp_path, bundles)


def test_every_verdict_is_in_the_candidates_notes(bench):
    """Whatever came of it: there the ledger counts the looks at the fresh rows."""
    (bench.folder / "report.md").write_text("the report, with its line\n")

    for slot, decision in zip(bench.slots, ("REJECT", "HOLD"), strict=True):
        bench.land(slot, decision)
    assert [each.notes for each in bench.forge.releases()] == ["the report, with its line\n"] * 2


def test_who_merges_against_the_verdict_is_named_in_the_release_notes(bench):
    """Once, and with the report that was against it."""
    (bench.folder / "report.md").write_text("## ⏸️ HOLD\n\n**Not settled.**\n")
    old, _ = bench.slots

    bench.land(old, "HOLD")
    bench.forge.status("retrain", True, "bypassed")  # as GitHub lets whoever may
    bench.forge.merge("retrain", "all the same")
    assert bench.type("release") == OK
    assert bench.type("release") == OK
    (notes,) = (each.notes for each in bench.forge.releases() if each.state == "published")
    assert notes == ("> **Override:** a person merged this; the verdict was HOLD.\n\n## ⏸️ HOLD\n\n**Not settled.**\n")


def test_a_promoted_candidate_becomes_live_and_is_published(bench, capsys):
    """Merged and released, with the report as its notes."""
    (bench.folder / "report.md").write_text("the report\n")
    old, new = bench.slots

    assert bench.land(old) == OK
    assert bench.live() == old.version
    assert bench.states() == {old.version: "published", new.version: "candidate"}
    assert bench.forge.releases()[-1].notes == "the report\n"
    assert "is live" in capsys.readouterr().out


@pytest.mark.parametrize(("decision", "code", "state"), [("REJECT", REJECTED, "closed"), ("HOLD", HELD, "open")])
def test_nothing_else_lands(bench, capsys, decision, code, state):
    """The verdict is kept with the proposal, and its status says so."""
    assert bench.land(bench.slots[0], decision) == code

    proposal = bench.forge.proposals()[0]
    assert bench.live() == ""
    assert proposal.state == state
    assert proposal.status == (False, f"{decision}: as it is")
    assert proposal.comments["verdict"] == "as it is"
    assert "as it is" in capsys.readouterr().out


def test_policy_never_leaves_a_good_one_to_a_person(bench, capsys):
    """Who types merge."""
    assert bench.land(bench.slots[0], "PROMOTE", "--policy", "never") == OK
    assert bench.live() == ""
    assert "python -m forge merge retrain" in capsys.readouterr().out

    assert bench.type("merge") == OK
    assert bench.live() == bench.slots[0].version
    assert bench.states()[bench.slots[0].version] == "published"


def test_a_stale_verdict_does_not_land(bench, capsys):
    """It is about something else than what is proposed, or than what is live."""
    old, new = bench.slots
    bench.propose(old)
    verdict = bench.verdict(new)

    assert bench.type("land", "--verdict", verdict) == FORGE
    assert "run: make gate" in capsys.readouterr().err
    assert bench.live() == ""


def test_a_rollback_is_one_gesture_and_withdraws_the_newer(bench, capsys):
    """The older one is live, with the reason in the history."""
    old, new = bench.slots
    bench.land(old)
    bench.land(new)

    assert bench.type("rollback", "--reason", "it is odd") == OK
    assert bench.live() == old.version
    assert bench.states() == {old.version: "published", new.version: "withdrawn"}
    assert bench.forge.releases()[0].notes.startswith("Withdrawn: it is odd")
    assert bench.forge.history(LIVE)[0].message == f"Roll back to {old.version}: it is odd"
    assert f"{new.version} is withdrawn" in capsys.readouterr().out


def test_a_rollback_keeps_the_other_roles(bench):
    """It is about the champion; the first of all is the anchor."""
    old, new = bench.slots
    bench.land(old)
    bench.land(new)
    assert parse_live(bench.forge.read(LIVE)) == Live(champion=new, anchor=old)
    bench.type("rollback", "--to", old.version, "--reason", "odd")

    assert parse_live(bench.forge.read(LIVE)) == Live(champion=old, anchor=old)


@pytest.mark.parametrize("words", [[], ["--to", "20200101T0000-0000000"]])
def test_a_rollback_with_nowhere_to_go_says_so(bench, capsys, words):
    """And changes nothing."""
    bench.land(bench.slots[0])

    assert bench.type("rollback", "--reason", "x", *words) == FORGE
    assert "error: " in capsys.readouterr().err
    assert bench.live() == bench.slots[0].version


def test_a_revert_by_hand_becomes_a_withdrawn_release(bench):
    """git revert, then `release` (which the forge does by itself after each push)."""
    old, new = bench.slots
    bench.land(old)
    bench.land(new)
    subprocess.run(
        ["git", "revert", "--no-edit", "HEAD"], cwd=bench.forge.root / "repo", check=True, capture_output=True
    )

    assert bench.type("release") == OK
    assert bench.live() == old.version
    assert bench.states() == {old.version: "published", new.version: "withdrawn"}


def test_a_land_that_was_cut_off_is_finished_by_release(bench):
    """Merged, and the process died before it published."""
    old, _ = bench.slots
    bench.propose(old)
    bench.forge.status("retrain", True, "good")
    bench.forge.merge("retrain", "model")
    assert bench.states()[old.version] == "candidate"

    assert bench.type("release") == OK
    assert bench.states()[old.version] == "published"
    assert bench.type("release") == OK


def test_status_shows_all_on_one_screen(bench, capsys):
    """Live, proposed, released, alarming."""
    old, new = bench.slots
    bench.land(old)
    bench.propose(new)
    bench.forge.alert("watch", "drift", "")
    capsys.readouterr()

    assert bench.type("status") == OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"live      {old.version}, since 20")
    assert lines[1] == f"proposal  2 retrain: model {new.version} (not judged yet)"
    assert f"release   {new.version}  candidate" in lines
    assert lines[-1] == "alert     1 open: drift"


def test_a_person_at_a_terminal_comments_on_an_alert_closes_it_and_opens_it_again(bench, capsys):
    """What is done in a browser on GitHub."""
    bench.forge.alert("watch:flights", "drift", "")

    assert bench.type("comment", "1", "/ack 7d") == OK
    assert [each.body for each in bench.forge.comments(1)] == ["/ack 7d"]
    assert bench.type("close", "1") == OK
    assert bench.type("status") == OK
    assert "alert     1 closed by hand: drift" in capsys.readouterr().out
    assert bench.type("reopen", "1") == OK
    assert bench.forge.alerts()[0].state == "open"
    assert bench.type("close", "7") == FORGE
    assert "there is no alert 7; alerts: 1" in capsys.readouterr().err


def test_status_of_nothing(bench, capsys, tmp_path):
    """A fresh checkout."""
    assert main(["status", "--forge", str(tmp_path / "none")]) == OK
    assert capsys.readouterr().out == "live      nothing\n"


def test_sync_once_says_what_it_did(bench, capsys, tmp_path):
    """And fails loudly when it cannot."""
    bench.land(bench.slots[0])
    capsys.readouterr()

    assert bench.type("sync", "--store", str(tmp_path / "store")) == OK
    assert capsys.readouterr().out == f"live: {bench.slots[0].version}\n"
    (bench.forge.root / "releases" / bench.slots[0].version / "bundle/model.onnx").unlink()
    assert bench.type("sync", "--store", str(tmp_path / "other")) == FORGE


def test_sync_that_follows_ends_at_a_signal(bench, root, tmp_path):
    """SIGTERM is how a service is stopped."""
    command = [sys.executable, "-m", "forge", "sync", "--every", "0.05"]
    places = ["--store", str(tmp_path / "store"), "--forge", str(bench.forge.root)]
    process = subprocess.Popen([*command, *places], cwd=root, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout.readline() == "live: nothing\n"
        bench.land(bench.slots[0])
        assert process.stdout.readline() == f"live: {bench.slots[0].version}\n"
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ('[land]\npolicy = "allways"\n', "land.policy is 'allways'; expected one of always, boring, never"),
        ("[land\n", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_rules_that_cannot_be_used_land_nothing(bench, capsys, tmp_path, rules, words):
    """A typing mistake must not mean always."""
    path = tmp_path / "thresholds.toml"
    if rules:
        path.write_text(rules)

    assert bench.land(bench.slots[0], "PROMOTE", "--rules", str(path)) == USAGE
    assert words in capsys.readouterr().err
    assert bench.live() == ""


def test_a_live_file_that_is_broken_is_said_by_every_command_and_a_rollback_repairs_it(bench, capsys):
    """With what is wrong in it."""
    bench.land(bench.slots[0])
    bench.forge.propose("edit", "edit", "", {LIVE: "[champian]\n"})
    bench.forge.status("edit", True, "good")
    bench.forge.merge("edit", "edit")
    capsys.readouterr()

    for words in (["status"], ["release"]):
        assert bench.type(*words) == FORGE
        assert "[champian] is not a role" in capsys.readouterr().err
    assert bench.type("rollback", "--reason", "x") == OK
    assert "[champian] is not a role" in capsys.readouterr().out
    assert bench.live() == bench.slots[0].version
    assert bench.type("release") == OK


def test_a_live_file_that_was_broken_once_does_not_count(bench):
    """It is put right, and everything goes on."""
    old, new = bench.slots
    bench.land(old)
    for text in ("[champian]\n", with_champion(Live(), old.version, old.digest).to_toml()):
        bench.forge.propose("edit", "edit", "", {LIVE: text})
        bench.forge.status("edit", True, "good")
        bench.forge.merge("edit", "edit")
    bench.land(new)

    assert bench.type("rollback", "--reason", "odd") == OK
    assert bench.live() == old.version


class Dying:
    """A forge whose process is killed before its *last* write: what was written stays."""

    WRITES = ("describe", "comment", "status", "merge", "propose", "publish", "withdraw", "alert", "close")

    def __init__(self, forge, last):
        self._forge, self._left = forge, last

    def __getattr__(self, name):
        if name in self.WRITES:
            self._left -= 1
            if self._left < 0:
                raise Killed
        return getattr(self._forge, name)


def state_of(bench):
    """Everything a person can see, but for times and how often an alert was written."""
    return (
        bench.live(),
        bench.states(),
        [release.version for release in bench.forge.releases() if release.latest],
        [release.notes for release in bench.forge.releases()],
        [(p.branch, p.state, p.status, len(p.comments)) for p in bench.forge.proposals()],
        [(alert.marker, alert.state) for alert in bench.forge.alerts()],
        [change.message for change in bench.forge.history(LIVE)],
    )


@pytest.mark.parametrize("command", ["land", "rollback"])
def test_a_command_that_is_killed_anywhere_is_finished_by_typing_it_again(bench, command):
    """And nothing is done twice: a second rollback does not go a step further."""
    old, new = bench.slots
    bench.land(old)
    if command == "land":
        bench.propose(new)
        words = ["--verdict", bench.verdict(new)]
    else:
        bench.land(new)
        words = ["--reason", "odd"]
    shutil.copytree(bench.forge.root, bench.folder / "before")

    def again():
        shutil.rmtree(bench.forge.root)
        shutil.copytree(bench.folder / "before", bench.forge.root)

    assert bench.type(command, *words) == OK
    whole, cuts = state_of(bench), 0
    while True:
        again()
        try:
            dying = Dying(bench.forge, cuts)
            bench.type(command, *words, opening=lambda _, dying=dying: dying)
        except Killed:
            assert bench.type(command, *words) == OK
            assert state_of(bench) == whole, f"killed at write {cuts}"
            cuts += 1
        else:
            break
    assert cuts >= 4


def test_a_rollback_leaves_an_incident(bench):
    """What was served from when to when, and why it was taken off."""
    old, new = bench.slots
    bench.land(old)
    bench.land(new)
    bench.type("rollback", "--reason", "it is odd")

    (incident,) = bench.forge.alerts()
    assert incident.title == f"Rolled back from {new.version}"
    assert f"`{new.version}` was live from" in incident.body
    assert "**Why:** it is odd" in incident.body


def test_the_night_after_a_rollback_does_not_undo_it(bench, capsys):
    """A good candidate waits for a person while the incident is open."""
    old, new = bench.slots
    bench.land(old)
    bench.land(new)
    bench.type("rollback", "--reason", "odd")

    assert bench.land(new) == OK
    assert bench.live() == old.version
    assert "left to a person: incident 1 is open" in capsys.readouterr().out

    bench.forge.resolve(f"incident:{new.version}", "found it\n")
    assert bench.land(new) == OK
    assert bench.live() == new.version


def test_a_revert_that_nobody_settled_is_not_undone_by_the_night(bench):
    """The run that should have settled it was cancelled."""
    old, new = bench.slots
    bench.land(old)
    bench.land(new)
    repo = bench.forge.root / "repo"
    subprocess.run(["git", "revert", "--no-edit", "HEAD"], cwd=repo, check=True, capture_output=True)

    assert bench.land(new) == OK
    assert bench.live() == old.version
    assert bench.states() == {old.version: "published", new.version: "withdrawn"}


def test_a_hand_on_a_release_is_not_undone_by_a_night_that_comes_first(bench):
    """Somebody marked the older one as the latest, and no run has followed yet."""
    old, new = bench.slots
    bench.land(old)
    bench.land(new)
    bench.propose(old)
    verdict = bench.verdict(old)
    (bench.forge.root / "releases/latest").write_text(f"{old.version}\n")

    bench.type("land", "--verdict", verdict)
    assert bench.live() == old.version
    assert [release.version for release in bench.forge.releases() if release.latest] == [old.version]
    assert bench.states()[new.version] == "withdrawn"


def test_a_rollback_to_a_version_is_done_also_where_another_was_unfinished(bench, capsys):
    """The one that is asked for counts."""
    old, new = bench.slots
    bench.land(old)
    bench.land(new)
    bench.propose(old)
    bench.forge.status("retrain", True, "by hand")
    bench.forge.merge("retrain", "by hand")

    assert bench.type("rollback", "--reason", "x", "--to", "20200101T0000-0000000") == FORGE
    assert "cannot roll back from" in capsys.readouterr().err
    assert bench.type("rollback", "--reason", "x", "--to", old.version) == OK


def test_a_digest_that_is_not_the_releases_is_never_published(bench, capsys):
    """No scorer would serve it."""
    old, _ = bench.slots
    bench.propose(Slot(old.version, "sha256:" + "0" * 64))
    bench.forge.status("retrain", True, "by hand")
    bench.forge.merge("retrain", "by hand")

    assert bench.type("release") == FORGE
    assert "no scorer will serve it" in capsys.readouterr().err
    assert bench.states()[old.version] == "candidate"


def test_a_proposal_that_could_not_be_judged_says_so(bench, capsys):
    """Yesterday's verdict does not stay on it as if it were today's."""
    old, new = bench.slots
    bench.land(old)
    bench.propose(new)
    bench.forge.status("retrain", True, "yesterday's")

    assert bench.type("land", "--verdict", str(bench.folder / "gone.json")) == FORGE
    assert bench.forge.proposal("retrain").status == (False, "could not be judged, which is not a pass")
    assert "Not judged" in bench.forge.proposal("retrain").comments["verdict"]
    assert "there is no verdict at" in capsys.readouterr().err


@pytest.mark.parametrize("hand", ["latest", "withdrawn", "deleted"])
def test_live_follows_what_a_person_did_to_a_release(bench, capsys, hand):
    """Marked an older one as the latest, withdrew the live one, or deleted it: each is a rollback."""
    old, new = bench.slots
    bench.land(old)
    bench.land(new)
    releases = bench.forge.root / "releases"
    if hand == "latest":
        (releases / "latest").write_text(f"{old.version}\n")
    elif hand == "withdrawn":
        record = releases / new.version / "release.md"
        text = record.read_text().replace('"state": "published"', '"state": "withdrawn"')
        record.write_text(text)
    else:
        shutil.rmtree(releases / new.version)

    assert bench.type("release") == OK
    assert bench.live() == old.version
    assert bench.states().get(new.version, "withdrawn") == "withdrawn"
    assert [release.version for release in bench.forge.releases() if release.latest] == [old.version]
    assert [alert.marker for alert in bench.forge.alerts()] == [f"incident:{new.version}"]
    assert "by hand" in capsys.readouterr().out
    before = state_of(bench)
    assert bench.type("release") == OK
    assert state_of(bench) == before
    assert "agree" in capsys.readouterr().out


def test_candidates_that_came_to_nothing_are_removed_after_a_while(bench):
    """What is live or proposed stays, however old."""
    old, new = bench.slots
    bench.land(old)
    bench.propose(new)
    assert bench.type("tidy", "--days", "-1") == OK
    assert bench.states().keys() == {old.version, new.version}

    bench.forge.close("retrain", "no")
    assert bench.type("tidy") == OK
    assert bench.states().keys() == {old.version, new.version}
    assert bench.type("tidy", "--days", "-1") == OK
    assert bench.states().keys() == {old.version}


class Scheduled:
    """A forge on which a robot runs by a schedule."""

    def __init__(self, forge, schedule):
        self._forge, self._schedule = forge, schedule

    def __getattr__(self, name):
        return getattr(self._forge, name)

    def schedule(self, name):
        return self._schedule


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (Schedule(False, "2099-01-01T00:00:00Z"), "nightly.yml is switched off"),
        (Schedule(True, "2026-01-01T00:00:00Z"), "nightly.yml has not run to a good end for"),
    ],
)
def test_a_robot_that_went_silent_raises_an_alert(bench, schedule, words):
    """Which closes when it runs again."""
    silent = Scheduled(bench.forge, schedule)
    assert bench.type("overdue", "nightly.yml", opening=lambda _: silent) == OK
    assert bench.type("overdue", "nightly.yml", opening=lambda _: silent) == OK
    (alert,) = bench.forge.alerts()
    assert alert.title.startswith(words)

    well = Scheduled(bench.forge, Schedule(True, "2099-01-01T00:00:00Z"))
    assert bench.type("overdue", "nightly.yml", opening=lambda _: well) == OK
    assert bench.forge.alerts()[0].state == "closed"


def test_nothing_is_overdue_on_a_laptop(bench):
    """Nothing runs there by itself."""
    assert bench.type("overdue", "nightly.yml") == OK
    assert bench.forge.alerts() == []


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("README.md", "other words", "nothing"),
        ("checks/thresholds.toml", "other limits", "nothing"),
        ("model/recipe.py", "another feature", "recipe"),
        ("requirements/work.txt", "another scikit-learn", "recipe"),
        ("model/__pycache__/x.pyc", "compiled", "nothing"),
        (LIVE, "new", "candidate"),
        (LIVE, "old", "rollback"),
        (LIVE, "none", "rollback"),
    ],
)
def test_the_gate_is_asked_what_a_pull_request_changes(bench, tmp_path, monkeypatch, path, text, expected):
    """Two checkouts are compared: main's, and what it would be."""
    slots = dict(zip(("old", "new"), bench.slots, strict=True))
    now = Slot("2-x", "sha256:" + "0" * 64)
    bench.land(slots["old"])
    bench.merge(now)
    for each in ("main", "proposal"):
        for name in ("README.md", "model/recipe.py", "requirements/work.txt"):
            (tmp_path / each / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / each / name).write_text("as it is")
        (tmp_path / each / "serve").mkdir()
        (tmp_path / each / LIVE).write_text(Live(now).to_toml())
    if path == LIVE:
        text = Live(slots.get(text), nothing=text == "none").to_toml()
    (tmp_path / "proposal" / path).parent.mkdir(exist_ok=True)
    (tmp_path / "proposal" / path).write_text(text)
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))

    folders = [str(tmp_path / "proposal"), "--main", str(tmp_path / "main")]
    assert bench.type("subject", *folders) == OK
    rules = path if path.startswith("checks/") else ""
    assert (tmp_path / "output").read_text() == f"subject={expected}\nrules={rules}\n"

    if path == LIVE:
        (tmp_path / "proposal/model/recipe.py").write_text("another feature")
        assert bench.type("subject", *folders) == FORGE  # one would hide the other


@pytest.mark.parametrize(("version", "code"), [("new", FORGE), ("old", OK)])
def test_an_entry_of_a_merge_queue_is_judged_against_what_is_live(bench, tmp_path, version, code):
    """Where an entry before it changes that, it waits for its merge; going back waits for nothing."""
    slots = dict(zip(("old", "new"), bench.slots, strict=True))
    bench.land(slots["old"])
    bench.merge(Slot("2-x", "sha256:" + "0" * 64))
    for folder, slot in (("before", Slot("3-y", "sha256:" + "1" * 64)), ("entry", slots[version])):
        (tmp_path / folder / "serve").mkdir(parents=True)
        (tmp_path / folder / LIVE).write_text(Live(slot).to_toml())

    folders = [str(tmp_path / "entry"), "--main", str(tmp_path / "before")]
    assert bench.type("subject", *folders) == code

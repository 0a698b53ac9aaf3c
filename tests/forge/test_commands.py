"""The commands a person types: land, merge, rollback, release, status, sync."""

import json
import subprocess
import sys

import pytest

from forge.__main__ import FORGE, HELD, OK, REJECTED, USAGE, main
from forge.live import Live, Slot, parse_live, with_champion
from forge.local import LocalForge
from serve.bundle import Bundle

LIVE = "serve/live.toml"


class Bench:
    """A forge with two bundles, and what a person types at it."""

    def __init__(self, folder, bundles):
        self.folder, self.forge = folder, LocalForge(folder / "forge")
        self.slots = []
        for path in bundles:
            bundle = Bundle.load(path)
            self.slots.append(Slot(bundle.version, bundle.digest))
            self.forge.upload(bundle.version, path)

    def type(self, command, *words):
        return main([command, *words, "--forge", str(self.forge.root)])

    def live(self):
        champion = parse_live(self.forge.read(LIVE)).champion
        return champion.version if champion else ""

    def propose(self, slot):
        text = with_champion(parse_live(self.forge.read(LIVE)), slot.version, slot.digest).to_toml()
        return self.forge.propose("retrain", f"model {slot.version}", "the card", {LIVE: text})

    def verdict(self, slot, decision="PROMOTE", **changes):
        live = parse_live(self.forge.read(LIVE)).champion
        named = {"version": slot.version, "digest": slot.digest}
        content = {
            "format": 1, "decision": decision, "summary": "as it is", "candidate": named,
            "champion": {"version": live.version, "digest": live.digest} if live else None,
        } | changes  # fmt: skip
        path = self.folder / "verdict.json"
        path.write_text(json.dumps(content))
        return str(path)

    def land(self, slot, decision="PROMOTE", *words):
        self.propose(slot)
        return self.type("land", "--verdict", self.verdict(slot, decision), *words)

    def states(self):
        return {release.version: release.state for release in self.forge.releases()}


@pytest.fixture
def bench(tmp_path, bundles):
    return Bench(tmp_path, bundles)


def test_a_promoted_candidate_becomes_live_and_is_published(bench, capsys):
    """Merged and released, with the report as its notes."""
    (bench.folder / "report.md").write_text("the report\n")
    old, new = bench.slots

    assert bench.land(old) == OK
    assert bench.live() == old.version
    assert bench.states() == {old.version: "published", new.version: "candidate"}
    assert bench.forge.releases()[-1].notes == "the report\n"
    assert "is live" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("decision", "code", "state"), [("REJECT", REJECTED, "closed"), ("HOLD", HELD, "open")]
)
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
    assert "judge again: make gate" in capsys.readouterr().err
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
    """It is about the champion."""
    old, new = bench.slots
    bench.land(old)
    bench.land(new)
    text = Live(champion=new, anchor=old).to_toml()
    bench.forge.propose("anchor", "anchor", "", {LIVE: text})
    bench.forge.status("anchor", True, "good")
    bench.forge.merge("anchor", "anchor")
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
        ["git", "revert", "--no-edit", "HEAD"],
        cwd=bench.forge.root / "repo",
        check=True,
        capture_output=True,
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


def test_status_tells_all_on_one_screen(bench, capsys):
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


def test_sync_that_follows_ends_when_it_is_told(bench, root, tmp_path):
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
        ('[land]\npolicy = "allways"\n', "land.policy is 'allways'; expected one of always, never"),
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


def test_a_live_file_that_is_broken_stops_every_command_in_words(bench, capsys):
    """With what is wrong in it."""
    bench.land(bench.slots[0])
    bench.forge.propose("edit", "edit", "", {LIVE: "[champian]\n"})
    bench.forge.status("edit", True, "good")
    bench.forge.merge("edit", "edit")
    capsys.readouterr()

    for words in (["status"], ["rollback", "--reason", "x"], ["release"]):
        assert bench.type(*words) == FORGE
        assert "[champian] is not a role" in capsys.readouterr().err

"""Each slot that a pull request changes can be served, or the gate is red and says why not."""

import copy
import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.live_config import LIVE, Live, Slot, with_champion
from forge.__main__ import FORGE, OK, main
from forge.local.folder_forge import LocalForge

pytestmark = pytest.mark.slow

BUNDLES = Path(__file__).parents[1] / "bundles/format-1"
WRONG = "sha256:" + "0" * 64


def slot_of(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    return Slot(manifest["version"], manifest["digest"])


class Bench:
    """A forge in which two versions were champion, the first is the anchor, and two were never live.

    Of those, one is judged HOLD and one has no verdict.
    """

    def __init__(self, folder):
        self.folder, self.forge = folder, LocalForge(folder / "forge")
        stored = [*(BUNDLES / "binary").iterdir(), *(BUNDLES / "regression").iterdir()]
        stored += (BUNDLES / "multiclass").iterdir()
        for path in sorted(stored):
            self.forge.upload(path.name, path)
        slots = [slot_of(path) for path in sorted((BUNDLES / "binary").iterdir())]
        others = [min((BUNDLES / each).iterdir()) for each in ("multiclass", "regression")]
        self.first, self.second = slots
        self.held, self.unjudged = map(slot_of, others)
        self.forge.describe(self.held.version, "## ⏸️ HOLD\n\n**Not settled.**\n")
        self.live = Live()
        for slot in slots:
            self.merge(with_champion(self.live, slot.version, slot.digest))

    def merge(self, live):
        """Have it live, and the releases follow."""
        self.merge_text(live.to_toml())
        self.live = live
        self.type("release")

    def merge_text(self, text):
        self.forge.propose("edit", "edit", "", {LIVE: text})
        self.forge.status("edit", True, "good")
        self.forge.merge("edit", "edit")

    def type(self, *words):
        return main([*words, "--forge", str(self.forge.root)])

    def asked(self, proposed, before=None):
        """What the gate is asked about a pull request: the exit code."""
        for name, text in (("before", before or self.live), ("after", proposed)):
            path = self.folder / name / LIVE
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text if isinstance(text, str) else text.to_toml())
        return self.type("subject", str(self.folder / "after"), "--main", str(self.folder / "before"))

    def bundle(self, slot):
        return self.forge.root / "releases" / slot.version / "bundle"


@pytest.fixture(scope="session")
def begun(tmp_path_factory):
    """Made once: each test takes a copy."""
    return Bench(tmp_path_factory.mktemp("forge"))


@pytest.fixture
def bench(begun, tmp_path):
    found = copy.copy(begun)
    shutil.copytree(begun.folder, tmp_path, dirs_exist_ok=True)
    found.folder, found.forge = tmp_path, LocalForge(tmp_path / "forge")
    return found


@pytest.fixture
def output(tmp_path, monkeypatch):
    """What a step of a workflow gets."""
    path = tmp_path / "output"
    monkeypatch.setenv("GITHUB_OUTPUT", str(path))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))

    def read():
        found = dict(line.partition("=")[::2] for line in path.read_text().splitlines())
        path.unlink()
        return found

    return read


CHANGES = {
    "a rollback": (lambda b: replace(b.live, champion=b.first), "rollback", ""),
    "a rollback and no challenger": (lambda b: Live(b.first, anchor=b.live.anchor), "rollback", ""),
    "nothing": (lambda b: Live(nothing=True), "rollback", ""),
    "a candidate": (lambda b: replace(b.live, champion=b.held), "candidate", ""),
    "a judged challenger": (lambda b: replace(b.live, challenger=replace(b.held, share=0.1)), "nothing", ""),
    "a challenger that was champion": (
        lambda b: replace(b.live, challenger=replace(b.first, mode="shadow")),
        "nothing",
        "",
    ),
    "another anchor": (lambda b: replace(b.live, anchor=b.second), "nothing", ""),
    "no anchor": (lambda b: replace(b.live, anchor=None), "nothing", ""),
    "the anchor's share": (lambda b: replace(b.live, anchor=replace(b.live.anchor, share=0.05)), "nothing", ""),
    "a salt": (lambda b: replace(b.live, salt="spring"), "nothing", ""),
    "an old name with another digest": (
        lambda b: replace(b.live, champion=Slot(b.first.version, WRONG)),
        None,
        "main has named it with",
    ),
    "its own name with another digest": (
        lambda b: replace(b.live, champion=Slot(b.second.version, WRONG)),
        None,
        "main has named it with",
    ),
    "a new name with another digest": (
        lambda b: replace(b.live, champion=Slot(b.held.version, WRONG)),
        None,
        "does not match the name",
    ),
    "a champion that is not stored": (
        lambda b: replace(b.live, champion=Slot("20260101T0000-0000000", WRONG)),
        None,
        "there is no such release",
    ),
    "a challenger with another digest": (
        lambda b: replace(b.live, challenger=Slot(b.first.version, WRONG, 0.1)),
        None,
        "main has named it with",
    ),
    "a challenger that begins alike": (
        lambda b: replace(b.live, challenger=Slot(b.held.version, b.held.digest[:20] + "0" * 51, 0.1)),
        None,
        "is not what live.toml names",
    ),
    "a challenger that is not stored": (
        lambda b: replace(b.live, challenger=Slot("20260101T0000-0000000", WRONG, 0.1)),
        None,
        "there is no such release",
    ),
    "a challenger by a word": (
        lambda b: replace(b.live, challenger=Slot("best", WRONG, 0.1)),
        None,
        "not a bundle's name",
    ),
    "a challenger that nobody judged": (
        lambda b: replace(b.live, challenger=replace(b.unjudged, share=1.0)),
        None,
        "the gate did not judge it",
    ),
    "a shadow that nobody judged": (
        lambda b: replace(b.live, challenger=replace(b.unjudged, mode="shadow")),
        None,
        "the gate did not judge it",
    ),
    "an anchor that nobody judged": (lambda b: replace(b.live, anchor=b.unjudged), None, "the gate did not judge it"),
    "a good champion beside a bad challenger": (
        lambda b: replace(b.live, champion=b.held, challenger=replace(b.unjudged, share=0.1)),
        None,
        "the challenger",
    ),
    "a rollback beside a bad anchor": (
        lambda b: replace(b.live, champion=b.first, anchor=Slot(b.first.version, WRONG)),
        None,
        "the anchor",
    ),
    "an empty file": (lambda b: "", None, 'it must say: champion = "none"'),
    "an anchor alone": (lambda b: Live(anchor=b.first), None, 'it must say: champion = "none"'),
    "half a table": (lambda b: "[champion", None, "live.toml is not TOML"),
    "a role of another name": (lambda b: b.live.to_toml() + "[other]\n", None, "[other] is not a role"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_gate_says_of_each_slot_why_it_cannot_be_served(bench, change, output, capsys, tmp_path):
    """In the log, in the job's summary and for the job that reports; what can be served stays green."""
    make, expected, words = CHANGES[change]
    code = bench.asked(make(bench))
    printed = output()

    if expected:
        assert (code, printed["subject"]) == (OK, expected)
    else:
        assert code == FORGE
        assert "subject" not in printed
        for text in (printed["why"], (tmp_path / "summary").read_text(), capsys.readouterr().err):
            assert words in text


@pytest.mark.parametrize("role", ["champion", "challenger", "anchor"])
def test_a_version_in_quarantine_is_red_in_every_role(bench, role, output):
    """Also as the revert of the rollback: who does that merges past the gate."""
    bench.merge(replace(bench.live, champion=bench.first))
    slot = bench.second if role == "champion" else replace(bench.second, share=1.0)

    assert bench.asked(replace(bench.live, **{role: slot})) == FORGE
    assert f"the {role} {bench.second.version}: it is withdrawn" in output()["why"]


def test_a_version_that_a_person_withdrew_is_red(bench, output):
    """The release says so before live.toml's history does."""
    bench.forge.withdraw(bench.held.version, "Withdrawn: by hand")

    assert bench.asked(replace(bench.live, challenger=replace(bench.held, share=0.1))) == FORGE
    assert "it is withdrawn" in output()["why"]


def test_a_challenger_that_the_gate_rejected_is_red(bench, output):
    """Its verdict is in the notes of its release."""
    bench.forge.describe(bench.unjudged.version, "## ❌ REJECT\n\n**Worse.**\n")

    assert bench.asked(replace(bench.live, challenger=replace(bench.unjudged, share=0.1))) == FORGE
    assert "the gate rejected it" in output()["why"]


@pytest.mark.parametrize("role", ["champion", "challenger", "anchor"])
def test_a_bundle_that_cannot_be_fetched_is_red(bench, role, output):
    """A file of it is gone."""
    (bench.bundle(bench.first) / "model.onnx").unlink()
    slot = bench.first if role == "champion" else replace(bench.first, share=0.2)

    assert bench.asked(replace(bench.live, **{role: slot})) == FORGE
    assert f"the {role} {bench.first.version} cannot be fetched" in output()["why"]


@pytest.mark.parametrize("bad", ["challenger", "anchor"])
def test_a_rollback_is_not_held_up_by_a_slot_that_was_bad_before(bench, bad, output):
    """It leaves it as it is; a pull request that takes it out is green, too."""
    bench.merge(replace(bench.live, **{bad: Slot(bench.unjudged.version, WRONG, 0.1)}))

    assert bench.asked(replace(bench.live, champion=bench.first)) == OK
    assert output()["subject"] == "rollback"
    assert bench.asked(replace(bench.live, **{bad: None})) == OK
    assert bench.asked(replace(bench.live, **{bad: replace(bench.held, share=0.9)})) == OK


@pytest.mark.parametrize("broken", ["[champion", "", "\x00"])
def test_a_live_file_that_was_broken_before_can_be_repaired(bench, broken, output):
    """By what it was, or by going back."""
    live = bench.live
    bench.merge_text(broken)

    assert bench.asked(live, broken) == OK
    assert bench.asked(replace(live, champion=bench.first), broken) == OK
    assert output()["subject"] == "rollback"


@pytest.mark.parametrize("target", ["/dev/zero", "live.toml", "nowhere", "../../../secret"])
def test_a_link_in_place_of_the_live_file_is_red(bench, target, output):
    """It is not read."""
    (bench.folder / "secret").write_text("what the runner has\n")
    bench.asked(bench.live)
    path = bench.folder / "after" / LIVE
    path.unlink()
    path.symlink_to(target)

    assert bench.type("subject", str(bench.folder / "after"), "--main", str(bench.folder / "before")) == FORGE
    assert "is not a regular file" in output()["why"]


def test_the_first_model_of_all_is_its_own_anchor(bench, output):
    """And is judged."""
    fresh = LocalForge(bench.folder / "fresh")
    fresh.upload(bench.first.version, bench.bundle(bench.first))
    bench.forge = fresh
    for name, live in (("before", Live()), ("after", with_champion(Live(), *slot_pair(bench.first)))):
        (bench.folder / name / LIVE).parent.mkdir(parents=True)
        (bench.folder / name / LIVE).write_text(live.to_toml())

    assert bench.type("subject", str(bench.folder / "after"), "--main", str(bench.folder / "before")) == OK
    assert output()["subject"] == "candidate"


def slot_pair(slot):
    return slot.version, slot.digest


BAD = {
    "another digest": lambda b, role: Slot(b.first.version, WRONG, 0.1),
    "not stored": lambda b, role: Slot("20260101T0000-0000000", WRONG, 0.1),
    "not judged": lambda b, role: replace(b.unjudged, share=0.1),
}


@pytest.mark.parametrize(("bad", "role"), [*itertools.product(BAD, ["challenger", "anchor"])])
def test_release_says_of_each_slot_on_main_that_scorers_cannot_follow(bench, bad, role, capsys):
    """Somebody merged it past the gate; the releases are made to agree all the same."""
    live = replace(bench.live, champion=bench.first, **{role: BAD[bad](bench, role)})
    bench.merge_text(live.to_toml())

    assert bench.type("release") == FORGE
    assert f"the {role} {getattr(live, role).version}" in capsys.readouterr().err
    states = {each.version: each.state for each in bench.forge.releases()}
    assert states[bench.second.version] == "withdrawn"
    bench.merge_text(replace(live, **{role: None}).to_toml())
    assert bench.type("release") == OK


def test_release_says_that_the_champion_cannot_be_fetched(bench, capsys):
    """A new scorer could not start."""
    (bench.bundle(bench.second) / "model.onnx").write_bytes(b"another")

    assert bench.type("release") == FORGE
    assert f"the champion {bench.second.version} cannot be fetched" in capsys.readouterr().err


def test_a_rollback_says_what_scorers_cannot_have(bench, capsys):
    """It names what is live on main, not what a scorer serves."""
    bench.merge_text(replace(bench.live, anchor=Slot(bench.unjudged.version, WRONG, 0.1)).to_toml())

    assert bench.type("rollback", "--reason", "odd") == OK
    said = capsys.readouterr().out
    assert f"rolled back: {LIVE} names {bench.first.version}, " in said
    assert f"the anchor {bench.unjudged.version} cannot be fetched" in said
    assert "scorers serve" not in said
    assert f"{bench.first.version} is live" not in said
    bench.merge_text(bench.live.to_toml())
    bench.type("release")
    assert bench.type("rollback", "--reason", "odd") == OK
    assert f"scorers serve {bench.first.version} after their next sync" in capsys.readouterr().out

"""A live.toml on main with a mistake in it does not keep anybody from going back, as a table."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bundles.bundle import Bundle
from contracts.live_config import LIVE, Live, Slot, digests_of, parse_live, served, with_champion
from contracts.release_policy import Rollback
from forge.__main__ import FORGE, OK, main
from forge.local.folder_forge import LocalForge
from forge.opening import open_forge
from monitoring.incidents.auto_rollback import Alarm
from monitoring.incidents.forge_actions import answer_comments, roll_back_if_due
from tests.forge.test_terminal import NOW

pytestmark = pytest.mark.slow

SHORT = "sha256:" + "a" * 63
VERSION = "20260101T0000-aaaaaaa"


def slot(role, version=VERSION, digest="sha256:" + "a" * 64, more=""):
    return f'\n[{role}]\nversion = "{version}"\ndigest = "{digest}"\n{more}'


#: What is below the champion -> a word of what is said of it.
BESIDE = {
    "a digest of 63 digits": (slot("challenger", digest=SHORT), "challenger.digest"),
    "a key with a mistake": (slot("challenger", more="shere = 0.1\n"), "challenger.shere"),
    "a share of 2": (slot("challenger", more="share = 2\n"), "challenger.share is 2"),
    "a share that is text": (slot("challenger", more='share = "0.1"\n'), "challenger.share"),
    "a mode that is not known": (slot("challenger", more='mode = "shade"\n'), "challenger.mode"),
    "no digest": (f'\n[challenger]\nversion = "{VERSION}"\n', "challenger.digest is None"),
    "no version": ("\n[challenger]\n", "challenger.version is None"),
    "an anchor of 63 digits": (slot("anchor", digest=SHORT), "anchor.digest"),
    "an anchor with a mode": (slot("anchor", more='mode = "shadow"\n'), "anchor.mode"),
    "several challengers": (slot("[challenger]"), "expected a table [challenger]"),
    "a role that is not one": (slot("chalenger"), "[chalenger] is not a role"),
    "a salt that is not one": ('\n[split]\nsalt = "a b"\n', "split.salt"),
    "a split that is text": ("\n[[split]]\n", "expected a table [split]"),
    "shares of more than all": (
        slot("challenger", more="share = 0.6\n") + slot("anchor", more="share = 0.6\n"),
        "sum to",
    ),
}
#: What live.toml is instead -> a word of what is said of it.
WHOLE = {
    "not TOML": ("[champion\n", "is not TOML"),
    "a conflict": ("<<<<<<< HEAD\n" + slot("champion"), "is not TOML"),
    "a role twice": (slot("champion") + slot("champion"), "is not TOML"),
    "too long": ("# " + "x" * 70_000, "longer than"),
    "nested too deeply": ("a = " + "[" * 5_000, "is not TOML"),
    "empty": ("", "names no champion"),
    "a champion of 63 digits": (slot("champion", digest=SHORT), "champion.digest"),
    "a champion that is text": ('champion = "nothing"\n', "expected a table [champion]"),
    "a champion with a share": (slot("champion", more="share = 0.5\n"), "champion.share"),
    "a role with a mistake": (slot("champian"), "[champian] is not a role"),
    "not UTF-8, replaced": ("\ufffd\ufffd", "is not TOML"),
}


def forge_in(folder):
    """Its comments come after the landing they are about: times are whole seconds."""
    return LocalForge(folder, lambda: datetime.now(UTC) + timedelta(seconds=2))


class Main:
    """A forge in a folder: two bundles were live, the newer is, and a person merged something since."""

    def __init__(self, folder, bundles):
        self.folder, self.forge = folder, forge_in(folder)
        self.slots = []
        for path in bundles:
            bundle = Bundle.load(path)
            self.slots.append(Slot(bundle.version, bundle.digest))
            self.forge.upload(bundle.version, path)
            last = parse_live(self.forge.read(LIVE))
            self.merge(with_champion(last, bundle.version, bundle.digest).to_toml())
            assert self.type("release") == OK

    def merge(self, text):
        self.forge.propose("edit", "edit", "", {LIVE: text})
        self.forge.status("edit", True, "good")
        self.forge.merge("edit", "edit")

    def type(self, *words):
        return main([*words, "--forge", str(self.folder)], open_forge)

    def live(self):
        return parse_live(self.forge.read(LIVE)).champion.version

    def comment(self, words):
        number = self.forge.alert("watch", "drift", "body").number
        self.forge.say(number, words)
        answer_comments(self.forge, NOW, 3)

    def watch(self):
        """The scorers' errors are beyond limits a moment after the landing."""
        return roll_back_if_due(
            self.forge, Rollback("on", 1e6, 0.01, 250), [Alarm("errors", self.slots[1].version, "9 of 10 failed")]
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory, bundles):
    """Is made once, and copied for each row."""
    folder = tmp_path_factory.mktemp("main") / "forge"
    return Main(folder, bundles)


@pytest.fixture
def here(made, tmp_path):
    """A copy of the forge for one test."""
    found = object.__new__(Main)
    found.folder = shutil.copytree(made.folder, tmp_path / "forge")
    found.forge, found.slots = forge_in(found.folder), made.slots
    return found


def _delete(here):
    """A person deletes the live release."""
    shutil.rmtree(here.folder / "releases" / here.slots[1].version)
    here.type("release")


GESTURES = {
    "rollback": lambda here: here.type("rollback", "--reason", "odd"),
    "rollback --bad": lambda here: here.type("rollback", "--reason", "odd", "--bad", here.slots[1].version),
    "rollback --to": lambda here: here.type("rollback", "--reason", "odd", "--to", here.slots[0].version),
    "/rollback": lambda here: here.comment("/rollback"),
    "release": _delete,
    "automatic": lambda here: here.watch(),
}


def rows(table, *whole):
    """Every content with the button, and those of *whole* with every gesture."""
    return [(each, gesture) for each in table for gesture in GESTURES if gesture == "rollback" or each in whole]


@pytest.mark.parametrize(("beside", "gesture"), rows(BESIDE, "a digest of 63 digits", "an anchor of 63 digits"))
def test_a_slot_that_is_malformed_is_left_out_by_the_rollback(here, capsys, beside, gesture):
    """And said, whoever goes back."""
    text, words = BESIDE[beside]
    champion = here.slots[1]
    here.merge(replace(Live(), champion=champion).to_toml() + text)
    capsys.readouterr()

    GESTURES[gesture](here)

    assert here.live() == here.slots[0].version
    assert words in capsys.readouterr().out
    assert here.type("release") == OK


@pytest.mark.parametrize(("whole", "gesture"), rows(WHOLE, "not TOML", "a champion of 63 digits"))
def test_a_live_file_that_names_no_champion_is_repaired_by_the_rollback(here, capsys, whole, gesture):
    """With what scorers serve; a rollback that names the bad version, or the good one, goes back from it."""
    text, words = WHOLE[whole]
    here.merge(text)
    capsys.readouterr()

    GESTURES[gesture](here)

    assert here.live() == here.slots[gesture == "rollback"].version
    assert words in capsys.readouterr().out
    assert here.type("release") == OK


def test_a_repair_withdraws_nothing_and_is_not_done_twice(here, capsys):
    """What scorers serve is named again, with the slots beside it."""
    before = here.forge.read(LIVE)
    here.merge("[champion\n")

    assert here.type("rollback", "--reason", "odd", "--to", here.slots[1].version) == OK
    assert here.forge.read(LIVE) == before
    assert {each.state for each in here.forge.releases()} == {"published"}
    assert here.forge.alerts() == []
    assert here.type("rollback", "--reason", "odd", "--to", here.slots[1].version) == OK
    assert "is live already" in capsys.readouterr().out


def test_a_repair_goes_further_back_where_what_scorers_serve_has_no_good_release(here):
    """To the newest good champion of the history."""
    here.merge("[champion\n")
    shutil.rmtree(here.folder / "releases" / here.slots[1].version)

    assert here.type("rollback", "--reason", "odd") == OK
    assert here.live() == here.slots[0].version


@pytest.mark.parametrize("beside", BESIDE)
def test_release_says_what_is_malformed_and_changes_nothing(here, capsys, beside):
    text, words = BESIDE[beside]
    here.merge(replace(Live(), champion=here.slots[1]).to_toml() + text)
    before = here.forge.read(LIVE)

    assert here.type("release") == FORGE
    assert words in capsys.readouterr().err
    assert here.forge.read(LIVE) == before


def test_a_champion_beside_a_malformed_slot_was_live(here):
    """Scorers serve it, so it is in the history: its digest can be trusted."""
    history = here.forge.history(LIVE)
    champion = Slot(VERSION, "sha256:" + "a" * 64)
    broken = Live(champion).to_toml() + slot("challenger", digest=SHORT)
    changes = [replace(history[0], text=broken), *history]

    assert digests_of(changes)[VERSION] == {champion.digest}
    assert served("[", changes)[0].champion == champion


@pytest.mark.parametrize("command", ["release", "merge", "rollback", "land", "tidy"])
def test_a_refusal_is_in_the_summary_of_the_job_once(here, capsys, tmp_path, monkeypatch, command):
    """As it is on the terminal."""
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    more = {
        "rollback": ["--reason", "x", "--bad", "20250101T0000-fffffff"],
        "land": ["--verdict", str(tmp_path / "none.json")],
    }
    if command in ("release", "tidy"):
        here.merge(Live(here.slots[1]).to_toml() + slot("challenger", digest=SHORT))
    if command == "tidy":
        here.forge.propose("retrain", "bad", "", {LIVE: "["})

    assert here.type(command, *more.get(command, [])) == FORGE
    said = capsys.readouterr().err.removeprefix("error: ").strip()
    assert said
    assert summary.read_text().count(said) == 1

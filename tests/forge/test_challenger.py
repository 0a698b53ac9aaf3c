"""`python -m forge challenge`: an experiment begins and ends by a command."""

from datetime import UTC, datetime, timedelta

import pytest

from bundles.bundle import Bundle
from contracts.live_config import LIVE, Slot, parse_live
from forge.__main__ import FORGE, OK, USAGE
from forge.maintenance import leftovers
from forge.releases.challenger import Part, challenge, end
from tests.forge.test_commands import Bench


@pytest.fixture
def bench(tmp_path, bundles):
    """A champion, and a candidate that the gate held."""
    bench = Bench(tmp_path, bundles)
    bench.merge(bench.slots[0])
    bench.type("release")
    bench.forge.describe(bench.slots[1].version, "## ⏸️ HOLD\n\n**Not settled.**\n")
    return bench


def live(bench):
    return parse_live(bench.forge.read(LIVE))


def test_a_challenger_gets_a_share_and_gives_it_back(bench, capsys):
    """Two commands, each a commit that can be reverted."""
    champion, other = bench.slots

    assert bench.type("challenge", other.version, "--share", "0.1", "--salt", "spring", "--reason", "it is close") == OK
    assert live(bench).challenger == Slot(other.version, other.digest, 0.1)
    assert (live(bench).champion, live(bench).salt) == (champion, "spring")
    assert "with 10.0% of the traffic; scorers follow" in capsys.readouterr().out
    assert "it is close" in bench.forge.proposals()[0].body

    assert bench.type("challenge", "--end") == OK
    assert (live(bench).challenger, live(bench).champion) == (None, champion)
    assert [each.message for each in bench.forge.history(LIVE)][:2] == [
        f"End the experiment with {other.version}",
        f"Challenger {other.version} with 10.0% of the traffic",
    ]


def test_typed_again_it_changes_nothing(bench, capsys):
    """Neither the beginning nor the end."""
    other = bench.slots[1].version
    for words in ([other, "--shadow"], ["--end"]):
        for _ in range(2):
            assert bench.type("challenge", *words) == OK
        count = len(bench.forge.history(LIVE))
        bench.type("challenge", *words)
        assert len(bench.forge.history(LIVE)) == count
    printed = capsys.readouterr().out
    assert f"{other} is the challenger already, as the shadow" in printed
    assert "no experiment is running" in printed


def test_another_share_of_the_same_model_is_a_new_experiment(bench):
    """The proposal says which one ends."""
    other = bench.slots[1].version
    bench.type("challenge", other, "--shadow")
    bench.type("challenge", other, "--share", "0.5")

    assert live(bench).challenger.share == 0.5
    assert f"The experiment so far, with {other} (shadow), ends." in bench.forge.proposals()[0].body


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], FORGE, ["name a VERSION", "either --share 0.1"]),
        (["{other}"], FORGE, ["either --share 0.1"]),
        (["{other}", "--shadow", "--share", "0.1"], FORGE, ["either --share 0.1"]),
        (["{champion}", "--share", "0"], FORGE, ["the share is 0; expected", "{champion} is the champion"]),
        (["{other}", "--share", "nan"], FORGE, ["the share is nan"]),
        (["{other}", "--share", "1.5"], FORGE, ["the share is 1.5"]),
        (["{other}", "--share", "0.1", "--salt", "a b"], FORGE, ["split.salt is 'a b'"]),
        (["20991231T0000-abcdef012345", "--share", "0.1"], FORGE, ["is not stored; python -m forge status"]),
        (["../x", "--share", "0.1"], FORGE, ["is not stored"]),
        (["--end", "--share", "0.1"], USAGE, ["--end goes without --share"]),
    ],
)
def test_every_mistake_is_named_and_nothing_changes(bench, capsys, words, code, said):
    """With what to type."""
    names = {"champion": bench.slots[0].version, "other": bench.slots[1].version}
    before = bench.forge.read(LIVE)

    assert bench.type("challenge", *(word.format(**names) for word in words)) == code

    printed = capsys.readouterr().err
    assert all(each.format(**names) in printed for each in said), printed
    assert bench.forge.read(LIVE) == before


def test_one_experiment_at_a_time(bench, capsys):
    """The running one is ended first; a command about another version ends nothing."""
    champion, other = bench.slots
    bench.type("challenge", other.version, "--share", "0.1")

    assert bench.type("challenge", "20991231T0000-abcdef012345", "--share", "0.1") == FORGE
    assert f"{other.version} (10.0% of the traffic) is running; to end it" in capsys.readouterr().err
    assert bench.type("challenge", champion.version, "--end") == FORGE
    assert f"{champion.version} is not the challenger; {other.version} is" in capsys.readouterr().err
    assert bench.type("challenge", other.version, "--end") == OK


@pytest.mark.parametrize(("notes", "said"), [("", "has no verdict"), ("## ❌ REJECT\n", "the gate rejected it")])
def test_a_model_that_no_gate_passed_gets_no_traffic(bench, capsys, notes, said):
    """Nor does a withdrawn one."""
    other = bench.slots[1].version
    bench.forge.describe(other, notes)

    assert bench.type("challenge", other, "--share", "0.1") == FORGE
    assert said in capsys.readouterr().err
    bench.merge(bench.slots[1])
    bench.type("rollback", "--reason", "worse")
    assert bench.type("challenge", other, "--share", "0.1") == FORGE
    assert "it is withdrawn" in capsys.readouterr().err


def test_without_a_champion_there_is_nothing_to_compare_with(tmp_path, bundles, capsys):
    """The first model is proposed, not tried."""
    bench = Bench(tmp_path, bundles)

    assert bench.type("challenge", bench.slots[1].version, "--share", "0.1") == FORGE
    assert "no model is live" in capsys.readouterr().err


def test_a_challenger_is_not_tidied_away(bench, capsys):
    """It is a candidate that was never live, and serves."""
    other = bench.slots[1].version
    later = datetime.now(UTC) + timedelta(days=99)
    assert leftovers(bench.forge.releases(), {bench.slots[0].version}, later, 14) == [other]

    bench.type("challenge", other, "--share", "0.1")
    bench.type("tidy", "--days", "-1")

    assert other in bench.states()
    bench.type("challenge", "--end")
    bench.type("tidy", "--days", "-1")
    assert other not in bench.states()


def test_it_is_the_same_on_every_forge(forge, dana, bundles):
    """A pull request that is merged, if the rules of the repository allow it."""
    loaded = [Bundle.load(path) for path in bundles]
    for bundle, path in zip(loaded, bundles, strict=True):
        forge.upload(bundle.version, path)
    forge.describe(loaded[1].version, "## ⏸️ HOLD\n")
    forge.propose("retrain", "model", "", {LIVE: parse_live(forge.read(LIVE)).to_toml() + champion(loaded[0])})
    forge.status("retrain", True, "good")
    forge.merge("retrain", "model")

    for _ in range(2):
        challenge(dana, loaded[1].version, Part(share=0.1))
    assert parse_live(forge.read(LIVE)).challenger == Slot(loaded[1].version, loaded[1].digest, 0.1)
    for _ in range(2):
        end(dana)
    assert parse_live(forge.read(LIVE)).challenger is None


def champion(bundle):
    return f'\n[champion]\nversion = "{bundle.version}"\ndigest = "{bundle.digest}"\n'

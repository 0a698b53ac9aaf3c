"""`python -m forge merge`, and the override of a HOLD: what is merged, what is refused, and where the reason is kept."""

import pytest

from bundles.bundle import Bundle
from contracts.live_config import LIVE, parse_live, with_champion
from forge.__main__ import FORGE, HELD, OK, REJECTED
from forge.interface import ForgeError
from forge.releases.landing import overridden
from forge.releases.merging_by_hand import merge
from tests.forge.test_commands import Bench

WHY = "the gain is certain to a person: the old model knows no bookings from 2026"
REPORT = "## ⏸️ HOLD\n\n**Not settled.**\n"


@pytest.fixture
def bench(tmp_path, bundles):
    return Bench(tmp_path, bundles)


def held(bench, decision="HOLD"):
    """A candidate that was judged, with its report."""
    (bench.folder / "report.md").write_text(REPORT.replace("HOLD", decision))
    code = bench.land(bench.slots[0], decision)
    assert code == {"HOLD": HELD, "REJECT": REJECTED}[decision]
    return bench.slots[0].version


def notes(forge, version):
    return next(each.notes for each in forge.releases() if each.version == version)


def test_a_hold_is_merged_with_a_reason_that_is_kept(bench, capsys):
    """In the release notes, the proposal's comment and the merge commit. The release is published."""
    version = held(bench)

    assert bench.type("merge", "--override", WHY) == OK

    assert (bench.live(), bench.states()[version]) == (version, "published")
    assert (
        notes(bench.forge, version) == f"> **Override:** a person merged this; the verdict was HOLD: {WHY}\n\n{REPORT}"
    )
    assert WHY in bench.forge.proposals()[0].comments["override"]
    assert WHY in bench.forge._repository.git("log", "-1", "--format=%B")
    assert f"{version} is live" in capsys.readouterr().out


def test_a_merge_that_is_typed_again_changes_nothing(bench, capsys):
    """Nor does one without the reason; after another champion it is refused."""
    version = held(bench)
    for words in (["--override", WHY], ["--override", "another"], []):
        assert bench.type("merge", *words) == OK
    (record,) = [each for each in bench.forge.history(LIVE) if version in each.text]

    assert WHY in notes(bench.forge, version)
    assert "is merged already" in capsys.readouterr().out
    assert record.message == f"model {version}"
    bench.merge(bench.slots[1])
    bench.type("rollback", "--reason", "worse")
    bench.merge(bench.slots[1])
    bench.forge.propose("other", "t", "", {"README.md": "x"})
    assert bench.type("merge", "other") == FORGE


def test_a_merge_that_was_interrupted_is_completed(bench):
    """After the merge and before the notes were written."""
    version = held(bench)
    bench.forge.merge("retrain", "title", override=True)

    assert bench.type("merge", "--override", WHY) == OK

    assert (bench.live(), bench.states()[version]) == (version, "published")
    assert f"the verdict was HOLD: {WHY}" in notes(bench.forge, version)


@pytest.mark.parametrize(
    ("status", "words", "said"),
    [
        ((False, "HOLD: it is close"), [], ['HOLD: it is close. To merge it all the same, type: --override "WHY"']),
        ((False, "HOLD: it is close"), ["--override", " \n"], ["the reason is empty"]),
        (
            (False, "REJECT: a leak"),
            ["--override", WHY],
            ["REJECT: a leak. A REJECT cannot be overridden", "waive the rule"],
        ),
        ((False, "could not be judged, which is not a pass"), ["--override", WHY], ["What the gate has not judged"]),
        ((None, "pending"), ["--override", ""], ["the reason is empty", "What the gate has not judged"]),
        (None, ["--override", WHY], ["no status yet. What the gate has not judged"]),
        (None, [], ["no status yet"]),
    ],
)
def test_what_is_not_merged_says_everything_at_once(bench, capsys, status, words, said):
    """And what to type. Nothing becomes live, and no reason is recorded."""
    proposal = bench.propose(bench.slots[0])
    if status:
        bench.forge.status("retrain", *status)

    assert bench.type("merge", *words) == FORGE

    printed = capsys.readouterr().err
    assert all(each in printed for each in [f"proposal {proposal.number} (retrain) is not merged", *said])
    assert bench.live() == ""
    assert "override" not in bench.forge.proposal("retrain").comments


def test_a_rejected_proposal_is_closed_and_cannot_be_overridden(bench, capsys):
    """`land` closes it."""
    held(bench, "REJECT")

    assert bench.type("merge", "--override", WHY) == FORGE
    assert "there is no open proposal on branch retrain" in capsys.readouterr().err


def test_a_good_proposal_needs_no_override(bench, capsys):
    """Its notes have no remark then."""
    bench.propose(bench.slots[0])
    bench.forge.status("retrain", True, "PROMOTE: better")

    assert bench.type("merge", "--override", WHY) == OK
    assert "needs no override" in capsys.readouterr().out
    assert "Override" not in notes(bench.forge, bench.slots[0].version)


def test_it_is_the_same_on_every_forge(forge, dana, bundles):
    """On GitHub its rules still decide who may merge."""
    bundle = Bundle.load(bundles[0])
    forge.upload(bundle.version, bundles[0])
    live = with_champion(parse_live(forge.read(LIVE)), bundle.version, bundle.digest)
    forge.propose("retrain", "model", "", {LIVE: live.to_toml()})
    forge.describe(bundle.version, REPORT)
    forge.status("retrain", False, "HOLD: it is close")

    with pytest.raises(ForgeError, match="HOLD: it is close"):
        merge(dana, "retrain")
    for _ in range(2):
        merge(dana, "retrain", WHY)

    assert parse_live(forge.read(LIVE)).champion.version == bundle.version
    assert notes(forge, bundle.version).startswith(
        f"> **Override:** a person merged this; the verdict was HOLD: {WHY}\n\n##"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("## ✅ PROMOTE\n\nx", "## ✅ PROMOTE\n\nx"),
        ("x\n## ⏸️ HOLD\n", "x\n## ⏸️ HOLD\n"),
        (REPORT, f"> **Override:** a person merged this; the verdict was HOLD: why\n\n{REPORT}"),
    ],
)
def test_a_reason_is_added_once(before, after):
    """To a remark that has none as well."""
    assert overridden(before, "why") == after
    assert overridden(overridden(before), "why") == after
    assert overridden(overridden(before, "why"), "another") == after

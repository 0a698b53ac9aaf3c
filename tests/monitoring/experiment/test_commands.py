"""`python -m monitoring experiment`: one issue, updated daily, and a proposal when it is due."""

import json
from argparse import Namespace
from dataclasses import replace
from datetime import date, timedelta

import pytest

from contracts.bundle_content import content_digest
from contracts.live_config import LIVE, Live, Slot, parse_live
from forge.interface import ForgeError
from forge.local.folder_forge import LocalForge
from monitoring.__main__ import NO_WATCH, OK, main
from monitoring.experiment.experiment_run import _propose, run
from monitoring.experiment.slot_changes import SlotChange
from monitoring.experiment.variant_comparison import split_of
from tests.monitoring.experiment.conftest import CONTRACT, NEW, OLD, SINCE, a_journal, a_split

pytestmark = pytest.mark.slow

CONTENT = {version: {"contract": CONTRACT.to_json(), "of": version} for version in (OLD, NEW)}
DIGEST = {version: content_digest(content) for version, content in CONTENT.items()}
BEGUN = Live(Slot(OLD, DIGEST[OLD]), Slot(NEW, DIGEST[NEW], share=0.5))


class Dated(LocalForge):
    """Whatever is live there became so when the journals of these tests begin."""

    def history(self, path):
        return [replace(change, at=SINCE) for change in super().history(path)]


@pytest.fixture
def forge(tmp_path):
    forge = Dated(tmp_path / "forge")
    for version, digest in DIGEST.items():
        folder = tmp_path / "bundles" / version
        folder.mkdir(parents=True)
        manifest = CONTENT[version] | {"version": version, "digest": digest}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        forge.upload(version, folder)
    make_live(forge, Live(BEGUN.champion))
    make_live(forge, BEGUN)
    return forge


def make_live(forge, live):
    forge.propose("by-hand", "by hand", "", {LIVE: live.to_toml()})
    forge.status("by-hand", True, "good")
    forge.merge("by-hand", "by hand")


@pytest.fixture
def evaluate(forge, journal, root, tmp_path, monkeypatch):
    """A run on the *days*-th morning, with a policy; returns the outputs of the job."""

    def evaluate(days, policy="propose"):
        rules = (root / "checks/thresholds.toml").read_text()
        (tmp_path / "rules.toml").write_text(rules.replace('"propose"', f'"{policy}"'))
        output = tmp_path / "output"
        output.write_text("")
        monkeypatch.setenv("GITHUB_OUTPUT", str(output))
        today = date(2026, 3, 3) + timedelta(days=days)
        arguments = {"rules": tmp_path / "rules.toml", "kept": tmp_path / "kept", "today": today}
        run(Namespace(journal=str(journal), **arguments), forge)
        return dict(line.split("=") for line in output.read_text().splitlines())

    return evaluate


def live(forge):
    return parse_live(forge.read(LIVE))


def proposed(forge):
    return [each for each in forge.proposals() if each.branch != "by-hand"]


def test_one_issue_has_the_state_and_what_was_done(evaluate, forge, journal, capsys):
    """From the first day to the end."""
    a_journal(journal, a_split(), 16, skill=(0.3, 1.0))

    assert evaluate(3) == {}
    (issue,) = forge.alerts()
    assert issue.title == f"Experiment: challenger {NEW}: running"
    assert "more days are needed" in issue.body
    assert proposed(forge) == []
    assert evaluate(3) == {}
    assert len(forge.alerts()[0].history) == 1
    assert "issue 1 is up to date" in capsys.readouterr().out

    assert evaluate(15) == {"promote": "promote", "policy": "never"}
    (issue,), (proposal,) = forge.alerts(), proposed(forge)
    assert issue.title.endswith(": wins")
    assert f"Pull request {proposal.number} (Promote {NEW}" in issue.body
    assert (proposal.title, proposal.files) == (f"Promote {NEW}: it won its experiment", (LIVE,))
    assert parse_live(forge.read(LIVE, "promote")) == Live(Slot(NEW, DIGEST[NEW]))
    assert live(forge) == BEGUN

    forge.status("promote", True, "the gate's verdict")
    assert evaluate(15) == {}
    forge.merge("promote", "merged")
    assert evaluate(16) == {}
    assert [(each.number, each.state) for each in forge.alerts()] == [(1, "closed")]
    assert "The experiment has ended." in forge.alerts()[0].body
    assert "no experiment runs" in capsys.readouterr().out


def test_with_the_policy_always_no_person_is_asked(evaluate, forge, journal):
    """But the gate evaluates the new champion."""
    a_journal(journal, a_split(), 16, skill=(0.3, 1.0))

    assert evaluate(15, "always") == {"promote": "promote", "policy": ""}
    assert live(forge) == BEGUN


def test_an_experiment_that_loses_ends(evaluate, forge, journal):
    """Automatically, or by a person."""
    a_journal(journal, a_split(), 8, skill=(1.0, 0.1))
    evaluate(7, "propose")
    (proposal,) = proposed(forge)
    assert (proposal.state, proposal.status[0]) == ("open", True)
    assert live(forge) == BEGUN

    evaluate(7, "always")
    assert live(forge) == Live(BEGUN.champion)
    assert [each.state for each in proposed(forge)] == ["merged"]
    assert "is merged." in forge.alerts()[0].body
    evaluate(8, "always")
    assert forge.alerts()[0].state == "closed"


def test_with_the_policy_never_only_the_issue_is_updated(evaluate, forge, journal):
    """People do the rest."""
    a_journal(journal, a_split(), 8, skill=(1.0, 0.1))

    assert evaluate(7, "never") == {}
    assert proposed(forge) == []
    assert "remove `[challenger]` from" in forge.alerts()[0].body


def test_what_a_person_closed_stays_closed(evaluate, forge, journal, capsys):
    """The issue, and the pull request."""
    a_journal(journal, a_split(), 16, skill=(0.3, 1.0))
    evaluate(15)
    forge.close("promote", "not now")
    forge.resolve(forge.alerts()[0].marker, "seen")

    assert evaluate(16) == {}
    assert [each.state for each in proposed(forge)] == ["closed"]
    assert forge.alerts()[0].state == "closed"
    assert "issue 1 was closed by a person and stays closed" in capsys.readouterr().out


def test_another_experiment_has_another_issue(evaluate, forge, journal):
    """The earlier one is closed."""
    a_journal(journal, a_split(), 5)
    evaluate(3)
    other = "20260302T0000-ddddddd"
    folder = forge.root.parent / "bundles" / NEW
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"version": other}))
    forge.upload(other, folder)
    make_live(forge, replace(BEGUN, challenger=Slot(other, DIGEST[NEW], mode="shadow")))
    evaluate(4)

    assert [each.state for each in reversed(forge.alerts())] == ["closed", "open"]


def test_it_is_typed_as_the_readme_says(forge, journal, tmp_path, capsys):
    """Without an experiment, and without a journal."""
    words = ["experiment", "--journal", str(journal), "--forge"]

    assert main([*words, str(tmp_path / "empty")]) == OK
    assert "no experiment runs" in capsys.readouterr().out
    assert main([*words, str(forge.root)]) == NO_WATCH
    assert "there is no journal at" in capsys.readouterr().err


def test_a_result_about_another_split_does_nothing_to_the_one_that_is_live(forge):
    """A person merged another champion while the journal was read."""
    change = SlotChange("end-experiment", "End the experiment: it lost", "it lost", True)
    split = split_of(forge.history(LIVE))
    make_live(forge, replace(BEGUN, champion=Slot(NEW, DIGEST[NEW]), challenger=Slot(OLD, DIGEST[OLD], 0.5)))
    before = forge.read(LIVE)

    assert "what is live changed during this run" in _propose(forge, change, split)
    assert forge.read(LIVE) == before
    assert proposed(forge) == []


def test_a_release_that_is_not_what_main_names_is_not_measured_by(evaluate, forge, journal):
    """Its contract says what a row means."""
    a_journal(journal, a_split(), 16)
    place = forge.root / "releases" / NEW / "bundle/manifest.json"
    manifest = json.loads(place.read_text())
    place.write_text(json.dumps(manifest | {"of": "somebody"}))

    with pytest.raises(ForgeError, match=f"the release {NEW} is not what live.toml names"):
        evaluate(16)

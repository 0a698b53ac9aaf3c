"""What any forge does, whichever it is: each write may be repeated, and doubles nothing."""

import json

import pytest

from contracts.live_config import Live, parse_live, with_champion
from forge.interface import ForgeError

pytestmark = pytest.mark.slow

LIVE = "serve/live.toml"
DIGEST = "sha256:" + "0" * 64


def live_toml(version):
    return with_champion(Live(), version, DIGEST).to_toml()


def propose(forge, version, branch="retrain"):
    return forge.propose(branch, f"model {version}", "the card", {LIVE: live_toml(version)})


def land(forge, version, branch="retrain"):
    propose(forge, version, branch)
    forge.status(branch, True, "good")
    return forge.merge(branch, f"model {version}")


def test_a_new_forge_has_nothing_live(forge):
    """And nothing proposed, released or alarming."""
    assert parse_live(forge.read(LIVE)) == Live()
    assert all(parse_live(change.text) == Live() for change in forge.history(LIVE))
    assert (forge.releases(), forge.proposals(), forge.alerts()) == ([], [], [])


def test_a_proposal_changes_its_branch_and_leaves_main(forge):
    """Until it is merged."""
    propose(forge, "20260101T0000-aaaaaaa")

    assert forge.read(LIVE, "retrain") == live_toml("20260101T0000-aaaaaaa")
    assert parse_live(forge.read(LIVE)) == Live()
    assert forge.read(LIVE, "no-such-branch") is None


def test_there_is_one_open_proposal_per_branch(forge):
    """A second night refreshes the first's."""
    first = propose(forge, "20260101T0000-aaaaaaa")
    second = propose(forge, "20260102T0000-bbbbbbb")

    assert first.number == second.number
    assert [p.title for p in forge.proposals()] == ["model 20260102T0000-bbbbbbb"]
    assert second.head != first.head


def test_a_status_belongs_to_what_was_judged(forge):
    """New content has none; the same content proposed again keeps its own."""
    propose(forge, "20260101T0000-aaaaaaa")
    forge.status("retrain", True, "good")

    assert propose(forge, "20260101T0000-aaaaaaa").status == (True, "good")
    assert propose(forge, "20260102T0000-bbbbbbb").status is None


def test_proposing_what_main_has_already_is_refused(forge):
    """There is nothing to judge in it."""
    land(forge, "20260101T0000-aaaaaaa")

    with pytest.raises(ForgeError, match="nothing to propose"):
        propose(forge, "20260101T0000-aaaaaaa")


def test_a_proposal_needs_a_branch_of_its_own(forge):
    """Main changes by merges alone."""
    with pytest.raises(ForgeError, match="other than main"):
        propose(forge, "20260101T0000-aaaaaaa", branch="main")


def test_a_status_is_refused_where_the_proposal_has_changed_meanwhile(forge):
    """What was judged is not what it would stand on."""
    judged = propose(forge, "20260101T0000-aaaaaaa").head
    propose(forge, "20260102T0000-bbbbbbb")

    with pytest.raises(ForgeError, match="has changed; run the gate again"):
        forge.status("retrain", True, "good", judged)
    assert forge.proposal("retrain").status is None


@pytest.mark.parametrize("status", [None, (None, "pending"), (False, "REJECT: worse")])
def test_only_a_good_status_lets_a_proposal_be_merged(forge, status):
    """Could not be checked is not a pass."""
    propose(forge, "20260101T0000-aaaaaaa")
    if status:
        forge.status("retrain", *status)

    with pytest.raises(ForgeError, match="may not be merged"):
        forge.merge("retrain", "try")
    assert parse_live(forge.read(LIVE)) == Live()


def test_a_merge_makes_one_commit_on_main(forge):
    """Whose message and content are in the history."""
    commit = land(forge, "20260101T0000-aaaaaaa")
    newest, begun = forge.history(LIVE)

    assert (newest.commit, newest.message) == (commit, "model 20260101T0000-aaaaaaa")
    assert newest.text == live_toml("20260101T0000-aaaaaaa") == forge.read(LIVE)
    assert begun.text == Live().to_toml()
    assert [p.state for p in forge.proposals()] == ["merged"]


def test_a_merged_proposal_is_not_merged_again(forge):
    """The next one opens under a new number."""
    land(forge, "20260101T0000-aaaaaaa")

    with pytest.raises(ForgeError, match="no open proposal on branch retrain; open one: make retrain"):
        forge.merge("retrain", "again")
    assert propose(forge, "20260102T0000-bbbbbbb").number == 2


def test_a_merge_is_refused_when_main_changed_the_same_file_since(forge):
    """What was judged is not what would be live."""
    propose(forge, "20260101T0000-aaaaaaa")
    forge.status("retrain", True, "good")
    land(forge, "20260102T0000-bbbbbbb", branch="rollback")

    with pytest.raises(ForgeError, match="main has changed serve/live.toml since"):
        forge.merge("retrain", "late")


def test_a_proposal_can_touch_several_files_and_keeps_the_rest(forge):
    """Its commit has just what it changed."""
    land(forge, "20260101T0000-aaaaaaa")
    forge.propose("notes", "Notes", "", {"docs/a.md": "a\n", "docs/ü b.md": "b\n"})
    forge.status("notes", True, "good")
    forge.merge("notes", "Notes")

    assert forge.read("docs/ü b.md") == "b\n"
    assert forge.read(LIVE) == live_toml("20260101T0000-aaaaaaa")


def test_a_closed_proposal_keeps_its_reason(forge):
    """So that somebody can read why."""
    propose(forge, "20260101T0000-aaaaaaa")
    forge.close("retrain", "worse than guessing")

    assert forge.proposal("retrain") is None
    assert forge.proposals()[0].comments == {"closed": "worse than guessing"}


def test_a_comment_is_brought_up_to_date_by_its_marker(forge):
    """Not written a second time."""
    propose(forge, "20260101T0000-aaaaaaa")
    forge.comment("retrain", "verdict", "first")
    forge.comment("retrain", "verdict", "second")
    forge.comment("retrain", "other", "else")

    assert forge.proposal("retrain").comments == {"verdict": "second", "other": "else"}


def test_a_bundle_comes_back_as_it_was_stored(forge, bundles, tmp_path):
    """Every byte."""
    forge.upload(bundles[0].name, bundles[0])
    forge.download(bundles[0].name, tmp_path / "back")

    there = {p.relative_to(bundles[0]): p.read_bytes() for p in bundles[0].rglob("*") if p.is_file()}
    back = {p.relative_to(tmp_path / "back"): p.read_bytes() for p in (tmp_path / "back").rglob("*") if p.is_file()}
    assert back == there
    assert [(r.version, r.state) for r in forge.releases()] == [(bundles[0].name, "candidate")]


def test_a_bundle_stored_again_changes_nothing_and_another_under_its_name_is_refused(forge, bundles, bundle):
    """A version always means the same bytes."""
    forge.upload(bundles[0].name, bundles[0])
    forge.publish(bundles[0].name)
    forge.upload(bundles[0].name, bundles[0])
    assert forge.releases()[0].state == "published"

    (bundle / "model.onnx").write_bytes(b"other")
    with pytest.raises(ForgeError, match="with other content; a bundle never changes"):
        forge.upload(bundles[0].name, bundle)


def test_one_content_made_twice_in_a_minute_is_one_release(forge, bundles, bundle):
    """Two retrains side by side: only the second of making them differs."""
    first = json.loads((bundle / "manifest.json").read_text())
    second = first | {"build": {"made_at": "2026-01-01T00:00:59Z"}}
    (bundle / "manifest.json").write_text(json.dumps(second))

    forge.upload(bundles[0].name, bundles[0])
    forge.upload(bundles[0].name, bundle)

    assert len(forge.releases()) == 1
    assert forge.manifest(bundles[0].name) == first


def test_a_folder_that_is_no_bundle_is_not_stored(forge, tmp_path):
    """The release would name nothing."""
    (tmp_path / "empty").mkdir()

    with pytest.raises(ForgeError, match="is not a bundle"):
        forge.upload("20260101T0000-aaaaaaa", tmp_path / "empty")
    assert forge.releases() == []


def test_a_release_that_is_not_there_is_named_with_those_that_are(forge, bundles, tmp_path):
    """What to type instead."""
    forge.upload(bundles[0].name, bundles[0])

    for attempt in (
        lambda: forge.download("gone", tmp_path / "x"),
        lambda: forge.publish("gone"),
        lambda: forge.withdraw("gone", ""),
    ):
        with pytest.raises(ForgeError, match=f"no release gone; there are: {bundles[0].name}"):
            attempt()


def test_a_download_never_writes_into_a_folder_that_is_there(forge, bundles, tmp_path):
    """It might be somebody's."""
    forge.upload(bundles[0].name, bundles[0])
    (tmp_path / "mine").mkdir()

    with pytest.raises(ForgeError, match="is there already"):
        forge.download(bundles[0].name, tmp_path / "mine")


def test_a_withdrawn_release_keeps_its_notes_below_the_reason(forge, bundles):
    """And may be published again."""
    forge.upload(bundles[0].name, bundles[0])
    forge.describe(bundles[0].name, "the verdict\n")
    forge.publish(bundles[0].name)
    forge.withdraw(bundles[0].name, "on-call did not trust it")
    withdrawn = forge.releases()[0]
    forge.publish(bundles[0].name)

    assert withdrawn.state == "withdrawn"
    assert withdrawn.notes == "on-call did not trust it\n\nthe verdict\n"
    assert forge.releases()[0].notes == withdrawn.notes
    assert forge.releases()[0].state == "published"


def test_a_release_can_be_published_and_leave_the_latest_alone(forge, bundles):
    """An older one that a person deleted is stored again."""
    for bundle in bundles:
        forge.upload(bundle.name, bundle)
    forge.publish(bundles[1].name)
    forge.publish(bundles[0].name, latest=False)

    assert [(r.version, r.state, r.latest) for r in forge.releases()] == [
        (bundles[1].name, "published", True),
        (bundles[0].name, "published", False),
    ]


def test_there_is_one_alert_per_marker(forge):
    """Opened, brought up to date, closed, opened again: it keeps its number and its history."""
    first = forge.alert("watch:flights", "drift since Monday", "body 1")
    second = forge.alert("watch:flights", "drift since Sunday", "body 2")
    closed = forge.resolve("watch:flights", "all quiet")
    again = forge.alert("watch:flights", "drift again", "body 3")
    other = forge.alert("watch:other", "another", "")

    assert first.number == second.number == closed.number == again.number == 1
    assert other.number == 2
    assert (second.title, second.body) == ("drift since Sunday", "body 2")
    assert (closed.state, closed.body) == ("closed", "all quiet")
    assert [line.split(" ", 1)[1] for line in again.history] == [
        "opened: drift since Monday",
        "updated: drift since Sunday",
        "closed",
        "opened again: drift again",
    ]


def test_there_is_nothing_to_close_where_nothing_is_open(forge):
    """Closing twice is no mistake."""
    assert forge.resolve("watch:flights", "quiet") is None
    forge.alert("watch:flights", "drift", "")
    forge.resolve("watch:flights", "quiet")

    assert forge.resolve("watch:flights", "quiet") is None


def test_an_alert_remembers_what_a_robot_noted(forge):
    """For its next run; nobody who reads it is bothered."""
    forge.alert("watch:flights", "drift", "body", {"peak": 2.5, "causes": ["a-->b"]})
    kept = forge.alert("watch:flights", "drift", "body 2")
    assert kept.memory == forge.alerts()[0].memory == {"peak": 2.5, "causes": ["a-->b"]}
    closed = forge.resolve("watch:flights", "quiet", {"peak": 3})

    assert closed.memory == forge.alerts()[0].memory == {"peak": 3}
    assert forge.alerts()[0].body == "quiet"


def test_what_an_alert_says_already_is_not_said_again(forge):
    """A run that was killed and is repeated leaves one line."""
    for _ in range(3):
        forge.alert("watch:flights", "drift", "body", {"peak": 1})

    assert len(forge.alerts()[0].history) == 1


def test_a_persons_hand_on_an_alert_is_distinguished_from_a_robots(forge, dana):
    """Until a robot follows."""

    def now():
        (alert,) = forge.alerts()
        return alert.state, alert.by_hand, bool(alert.closed_at)

    number = forge.alert("watch:flights", "drift", "").number
    assert now() == ("open", False, False)
    dana.set_state(number, "closed")
    assert now() == ("closed", True, True)
    forge.alert("watch:flights", "worse", "")
    assert now() == ("open", False, False)
    forge.resolve("watch:flights", "quiet")
    assert now() == ("closed", False, True)
    dana.set_state(number, "open")
    assert now() == ("open", True, False)
    forge.alert("watch:flights", "worse", "")
    assert now() == ("open", False, False)


def test_people_comment_and_robots_answer_once(forge, dana):
    """The answer stays with the comment; a robot's own words are no person's."""
    number = forge.alert("watch:flights", "drift", "").number
    forge.alert("watch:other", "another", "")
    for words in ("looks bad", "/ack 7d", "/ack 7d"):
        dana.say(number, words)
    first, second = forge.comments(number)
    forge.note(number, f"reply:{second.id}", "acknowledged")
    forge.note(number, f"reply:{second.id}", "acknowledged until Monday")
    forge.note(number, "summary", "three days")
    dana.say(number, "/ack 7d")

    found = forge.comments(number)
    assert [(each.body, each.reply) for each in found] == [
        ("looks bad", None),
        ("/ack 7d", "acknowledged until Monday"),
        ("/ack 7d", None),
    ]
    assert found[0] == first
    assert all(forge.may_write(each.author) for each in found)
    assert first.at < second.at
    assert forge.comments(number + 1) == []


def test_there_are_links_between_alert_and_proposal(forge):
    """Each names the other, in words that lead there."""
    alert = forge.alert("watch:flights", "drift", "")
    proposal = propose(forge, "20260101T0000-aaaaaaa")

    assert {alert.link, forge.alerts()[0].link} in ({"alert 1"}, {"#1"})
    assert {proposal.link, forge.proposal("retrain").link} in ({"proposal 1"}, {"#2"})


@pytest.mark.parametrize("text", ["", "--> <!-- tidegate: {}", "ü 漢字 🌊\r\nline", "```\n@everyone"])
def test_any_text_survives(forge, text):
    """Bodies come from data and from people."""
    title = " ".join(text.split()) or "nothing"
    forge.alert("m", title, text)
    propose(forge, "20260101T0000-aaaaaaa")
    forge.comment("retrain", "c", text)

    assert (forge.alerts()[0].title, forge.alerts()[0].body) == (title, text)
    assert forge.proposal("retrain").comments["c"] == text


def test_a_proposal_says_which_files_it_changes(forge):
    """Whether a robot may merge it depends on that."""
    files = {LIVE: live_toml("20260101T0000-aaaaaaa"), "docs/a.md": "a\n", "docs/b.md": "b\n"}
    proposed = forge.propose("retrain", "three", "", files, ["model", "robot"])

    assert proposed.files == forge.proposal("retrain").files == tuple(sorted(files))
    assert sorted(forge.proposal("retrain").labels) == ["model", "robot"]
    assert forge.proposal("retrain").head == proposed.head


def test_a_manifest_can_be_read_alone(forge, bundles):
    """What is in a bundle is asked more often than the bundle."""
    forge.upload(bundles[0].name, bundles[0])
    manifest = forge.manifest(bundles[0].name)

    assert manifest["digest"] == forge.releases()[0].digest
    assert "model.onnx" in manifest["files"]
    with pytest.raises(ForgeError, match=f"no release gone; there are: {bundles[0].name}"):
        forge.manifest("gone")


def test_an_attestation_is_stored_beside_the_bundle(forge, bundles, tmp_path):
    """It is no part of it; the same bundle attested again is the same bundle."""
    for text in ("first\n", "second\n"):
        (tmp_path / "attested").write_text(text)
        forge.upload(bundles[0].name, bundles[0], tmp_path / "attested")
    forge.download(bundles[0].name, tmp_path / "back")

    assert not list((tmp_path / "back").rglob("*attest*"))
    assert len(forge.releases()) == 1


def test_a_candidate_is_never_the_latest(forge, bundles):
    """Nor is there a latest before one is published."""
    forge.upload(bundles[0].name, bundles[0])

    assert [(r.state, r.latest) for r in forge.releases()] == [("candidate", False)]


def test_publishing_moves_the_latest_also_to_one_that_is_published_already(forge, bundles):
    """A rollback is that."""
    older, newer = (path.name for path in bundles)
    for path in bundles:
        forge.upload(path.name, path)
        forge.describe(path.name, "verdict\n")
        forge.publish(path.name)
    assert [(r.version, r.latest) for r in forge.releases()] == [(newer, True), (older, False)]

    forge.publish(older)

    assert [(r.version, r.latest) for r in forge.releases()] == [(newer, False), (older, True)]
    assert [r.notes for r in forge.releases()] == ["verdict\n", "verdict\n"]


def test_withdrawing_twice_says_the_reason_once(forge, bundles):
    """And takes the latest to another only by publishing that."""
    for path in bundles:
        forge.upload(path.name, path)
        forge.describe(path.name, "verdict\n")
        forge.publish(path.name)
    forge.publish(bundles[0].name)
    for _ in range(2):
        forge.withdraw(bundles[1].name, "it was wrong")

    newest, oldest = forge.releases()
    assert (newest.state, newest.latest, newest.by_hand) == ("withdrawn", False, False)
    assert newest.notes == "it was wrong\n\nverdict\n"
    assert oldest.latest


def test_only_a_candidate_is_discarded(forge, bundles):
    """What was live is kept for ever; what is gone is gone."""
    for path in bundles:
        forge.upload(path.name, path)
    forge.publish(bundles[0].name)
    for _ in range(2):
        forge.discard(bundles[1].name)

    with pytest.raises(ForgeError, match="was live; only candidates are discarded"):
        forge.discard(bundles[0].name)
    assert [release.version for release in forge.releases()] == [bundles[0].name]

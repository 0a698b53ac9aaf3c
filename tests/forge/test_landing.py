"""What a verdict allows, as a table."""

import json

import pytest

from forge import ForgeError, Release
from forge.landing import back_to, read_verdict, refuse_if_stale, settle
from forge.live import Live, Slot

OLD, NEW, NEWER = "20260101T0000-aaaaaaa", "20260102T0000-bbbbbbb", "20260103T0000-ccccccc"
DIGEST = {name: "sha256:" + name[-1] * 64 for name in (OLD, NEW, NEWER)}


def live(version):
    return Live(Slot(version, DIGEST[version])) if version else Live()


def release(version, state="published"):
    return Release(version, DIGEST[version], state, "", "2026-01-01T00:00:00Z")


def named(version):
    return {"version": version, "digest": DIGEST[version]} if version else None


def written(tmp_path, **changes):
    content = {
        "format": 1, "decision": "PROMOTE", "summary": "good", "candidate": named(NEW),
        "champion": named(OLD),
    } | changes  # fmt: skip
    path = tmp_path / "verdict.json"
    path.write_text(json.dumps({k: v for k, v in content.items() if v != "gone"}))
    return path


def test_a_verdict_is_read_as_far_as_landing_needs_it(tmp_path):
    """The rest is for people."""
    verdict = read_verdict(written(tmp_path, findings=[1, 2, 3]))

    assert (verdict.decision, verdict.summary) == ("PROMOTE", "good")
    assert verdict.candidate == (NEW, DIGEST[NEW])
    assert read_verdict(written(tmp_path, champion=None)).champion is None


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2}, {"decision": "PROMOTED"}, {"decision": None}, {"summary": "gone"},
        {"candidate": "gone"}, {"candidate": None}, {"candidate": {"version": NEW}}, {"champion": 7},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_verdict_is_refused(tmp_path, changes):
    """It comes from a job that ran a proposal's code."""
    with pytest.raises(ForgeError, match="is not a verdict .*; make one: make gate"):
        read_verdict(written(tmp_path, **changes))


@pytest.mark.parametrize("content", ["", "[]", "null", "{", "\x00"])
def test_a_file_that_is_not_a_verdict_at_all_is_refused(tmp_path, content):
    """Torn, empty or something else."""
    (tmp_path / "verdict.json").write_text(content)

    with pytest.raises(ForgeError, match="is not a verdict"):
        read_verdict(tmp_path / "verdict.json")


@pytest.mark.parametrize(
    ("proposed", "now", "words"),
    [
        (NEW, OLD, None),
        (NEWER, OLD, f"the verdict is about {NEW}, but the proposal is for {NEWER}"),
        ("", OLD, "the proposal is for nothing"),
        (NEW, NEWER, f"the verdict compared with {OLD}, but {NEWER} is live now"),
        (NEW, "", "but nothing is live now"),
    ],
)
def test_a_verdict_counts_for_its_own_candidate_and_champion_alone(tmp_path, proposed, now, words):
    """What happened in between is not in it."""
    verdict = read_verdict(written(tmp_path))
    if words is None:
        refuse_if_stale(verdict, live(proposed), live(now))
        return
    with pytest.raises(ForgeError, match=words):
        refuse_if_stale(verdict, live(proposed), live(now))


def test_the_same_version_with_other_bytes_is_another_candidate(tmp_path):
    """The digest counts."""
    verdict = read_verdict(written(tmp_path))

    with pytest.raises(ForgeError, match="judge again: make gate"):
        refuse_if_stale(verdict, Live(Slot(NEW, DIGEST[OLD])), live(OLD))


@pytest.mark.parametrize(
    ("champions", "states", "expected"),
    [
        ([""], {NEW: "candidate"}, {}),
        (["", OLD], {OLD: "candidate"}, {OLD: "published"}),
        (["", OLD], {OLD: "published", NEW: "candidate"}, {}),
        (["", OLD, NEW, OLD], {OLD: "published", NEW: "published"}, {NEW: "withdrawn"}),
        (["", OLD, NEW, OLD], {OLD: "published", NEW: "withdrawn"}, {}),
        (["", OLD, NEW, OLD, NEW], {OLD: "published", NEW: "withdrawn"}, {NEW: "published"}),
    ],
)
def test_releases_are_made_to_agree_with_the_history(champions, states, expected):
    """And nothing is done twice."""
    releases = [release(version, state) for version, state in states.items()]

    assert settle(champions, releases) == expected


def test_a_rollback_goes_to_the_newest_good_release_before_the_live_one():
    """Not to one that was withdrawn, never live, or is newer."""
    champions = ["", OLD, NEW, NEWER]
    releases = [release(NEWER), release(NEW), release(OLD)]

    assert back_to(None, live(NEWER), champions, releases).version == NEW
    assert back_to(OLD, live(NEWER), champions, releases).version == OLD
    withdrawn = [release(NEWER), release(NEW, "withdrawn"), release(OLD)]
    assert back_to(None, live(NEWER), champions, withdrawn).version == OLD


def test_of_two_made_in_one_minute_a_rollback_goes_to_the_one_that_was_live_first():
    """The digests that end their names say nothing of time."""
    first, second = "20260101T0000-bbbbbbb", "20260101T0000-aaaaaaa"
    releases = [Release(name, "", "published", "", "") for name in (first, second)]

    assert back_to(None, Live(Slot(second, "")), ["", first, second], releases).version == first


@pytest.mark.parametrize(
    ("wanted", "now", "champions", "releases", "words"),
    [
        (None, "", [], [], "nothing is live"),
        (None, OLD, [OLD], [release(OLD)], f"no published release before {OLD}"),
        (NEWER, NEW, [OLD, NEW], [release(OLD), release(NEW)], f"releases to go back to: {OLD}"),
        ("x", NEW, [OLD, NEW], [release(OLD, "withdrawn")], "releases to go back to: none"),
        (None, NEW, [NEW], [release(OLD, "candidate")], "nothing to go back to"),
    ],
)
def test_a_rollback_that_cannot_be_says_what_can(wanted, now, champions, releases, words):
    """At three in the morning."""
    with pytest.raises(ForgeError, match=words):
        back_to(wanted, live(now), champions, releases)

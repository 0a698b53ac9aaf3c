"""When live.toml and the releases tell different stories, as tables."""

from dataclasses import replace

import pytest

from forge import Change, ForgeError, Release
from forge.live import Live, Slot, with_champion
from forge.rollback import back_to, incident, settle, taken_off

OLD, NEW, NEWER = "20260101T0000-aaaaaaa", "20260102T0000-bbbbbbb", "20260103T0000-ccccccc"
DIGEST = {name: "sha256:" + name[-1] * 64 for name in (OLD, NEW, NEWER)}


def live(version):
    return Live(Slot(version, DIGEST[version])) if version else Live()


def release(version, state="published", **more):
    return Release(version, DIGEST[version], state, "", "2026-01-01T00:00:00Z", **more)


@pytest.mark.parametrize(
    ("champions", "states", "expected"),
    [
        ([""], {NEW: "candidate"}, {}),
        (["", OLD], {OLD: "candidate"}, {OLD: "published"}),
        (["", OLD], {OLD: "published", NEW: "candidate"}, {}),
        (["", OLD, NEW, OLD], {OLD: "published", NEW: "published"}, {NEW: "withdrawn"}),
        (["", OLD, NEW, OLD], {OLD: "published", NEW: "withdrawn"}, {}),
        (["", OLD, NEW, OLD, NEW], {OLD: "published", NEW: "withdrawn"}, {NEW: "published"}),
        # One that was withdrawn by hand stays so, whatever live.toml says of its time.
        (["", OLD, NEW], {OLD: "withdrawn", NEW: "published"}, {}),
        # A night that was cut off before it published.
        (
            ["", OLD, NEW],
            {OLD: "candidate", NEW: "candidate"},
            {OLD: "published", NEW: "published"},
        ),
    ],
)
def test_releases_are_made_to_agree_with_the_history(champions, states, expected):
    """And nothing is done twice."""
    releases = [
        release(version, state, latest=version == champions[-1] and state == "published")
        for version, state in states.items()
    ]

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


def test_what_is_live_is_made_the_latest_before_anything_is_withdrawn():
    """Whoever asks for no version gets it; a rollback that is cut off is known by what is left."""
    releases = [release(NEWER, latest=True), release(OLD), release(NEW, "candidate")]

    found = settle(["", OLD, NEW, NEWER, OLD], releases)

    assert list(found.items()) == [(NEW, "published"), (OLD, "published"), (NEWER, "withdrawn")]


def test_what_a_person_withdrew_is_not_published_again():
    """Live or not: a live one is `taken_off`'s matter."""
    by_hand = replace(release(OLD, "withdrawn"), by_hand=True)

    assert settle(["", OLD, NEW], [by_hand, release(NEW, latest=True)]) == {OLD: "withdrawn"}
    assert settle(["", OLD], [by_hand]) == {}


@pytest.mark.parametrize(
    ("releases", "expected"),
    [
        # Nobody touched anything.
        ([release(NEW, latest=True), release(OLD)], None),
        # An older one was marked as the latest.
        ([release(NEW), release(OLD, latest=True)], (OLD, "was marked as the latest by hand")),
        # The live one was turned into a pre-release, or deleted.
        ([release(NEW, "withdrawn", by_hand=True), release(OLD)], (None, "was withdrawn by hand")),
        ([release(OLD, latest=True)], (None, "was deleted by hand")),
        # A landing that has not settled yet is no hand.
        ([release(NEW, "candidate"), release(OLD, latest=True)], None),
        # Nor is a revert of a rollback, on its way.
        ([release(NEW, "withdrawn"), release(OLD, latest=True)], None),
        # The latest was withdrawn, or never live: no place to go back to.
        ([release(NEW), release(OLD, "withdrawn", latest=True)], None),
    ],
)
def test_a_persons_hand_on_a_release_is_a_rollback(releases, expected):
    """And nothing else is."""
    found = taken_off(live(NEW), ["", OLD, NEW], releases)

    if expected is None:
        assert found is None
    else:
        assert found[0] == expected[0]
        assert expected[1] in found[1]


def test_a_latest_that_is_newer_than_what_is_live_is_no_wish():
    """It is a rollback whose releases have not followed yet: robots do not undo each other."""
    releases = [release(NEW, latest=True), release(OLD)]

    assert taken_off(live(OLD), ["", OLD, NEW, OLD], releases) is None


def test_nothing_is_taken_off_where_nothing_is_live():
    """A new repository."""
    assert taken_off(live(""), [""], []) is None


def test_an_incident_tells_what_was_served_from_when_to_when():
    """From live.toml's history alone."""
    texts = ["", OLD, NEW, OLD]
    history = [
        Change("c", f"2026-01-0{day}T00:00:00Z", "", with_champion(Live(), v, DIGEST[v]).to_toml())
        if v
        else Change("c", f"2026-01-0{day}T00:00:00Z", "", Live().to_toml())
        for day, v in enumerate(texts, 1)
    ]
    told = incident(NEW, "it is odd", history[::-1])

    assert f"`{NEW}` was live from 2026-01-03T00:00:00Z to 2026-01-04T00:00:00Z" in told
    assert f"`{OLD}` serves again" in told
    assert "**Why:** it is odd" in told
    assert f"| 2026-01-02T00:00:00Z | `{OLD}` |" in told

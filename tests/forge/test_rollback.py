"""When live.toml and the releases disagree, as tables."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from contracts.live_config import Live, Slot, with_champion
from forge.interface import Alert, Change, ForgeError, Release
from forge.releases.landing import INCIDENT
from forge.releases.quarantine import due, live_again, over, reason_of, rolled_back, troubles
from forge.releases.rollback import (
    Back,
    back_to,
    backs,
    cleared,
    put_back,
    settle,
    since,
    stopped,
    undone,
    withdrawn_by_hand,
)

OLD, NEW, NEWER = "20260101T0000-aaaaaaa", "20260102T0000-bbbbbbb", "20260103T0000-ccccccc"
DIGEST = {name: "sha256:" + name[-1] * 64 for name in (OLD, NEW, NEWER)}


def live(version):
    return Live(Slot(version, DIGEST[version])) if version else Live(nothing=True)


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
        # A rollback by two, and its revert.
        (
            ["", OLD, NEW, NEWER, OLD],
            {OLD: "published", NEW: "published", NEWER: "published"},
            {NEW: "withdrawn", NEWER: "withdrawn"},
        ),
        (
            ["", OLD, NEW, NEWER, OLD, NEWER],
            {OLD: "published", NEW: "withdrawn", NEWER: "withdrawn"},
            {NEW: "published", NEWER: "published"},
        ),
        # One that was withdrawn by hand stays so, whatever live.toml says of its time.
        (["", OLD, NEW], {OLD: "withdrawn", NEW: "published"}, {}),
        # A night that was cut off before it published.
        (["", OLD, NEW], {OLD: "candidate", NEW: "candidate"}, {OLD: "published", NEW: "published"}),
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

    assert back_to(None, live(NEWER), champions, releases) == NEW
    assert back_to(OLD, live(NEWER), champions, releases) == OLD
    withdrawn = [release(NEWER), release(NEW, "withdrawn"), release(OLD)]
    assert back_to(None, live(NEWER), champions, withdrawn) == OLD
    # A rollback whose releases have not followed, or whose release a person published again.
    assert back_to(None, live(NEWER), ["", OLD, NEW, OLD, NEWER], releases) == OLD


def test_a_rollback_goes_to_the_model_before_also_where_that_was_made_later():
    """A challenger that was older than the champion won: what was live before it is the newer one."""
    releases = [release(NEWER), release(NEW), release(OLD)]

    assert back_to(None, live(NEW), ["", OLD, NEWER, NEW], releases) == NEWER


def test_of_two_made_in_one_minute_a_rollback_goes_to_the_one_that_was_live_first():
    """The digests that end their names say nothing of time."""
    first, second = "20260101T0000-bbbbbbb", "20260101T0000-aaaaaaa"
    releases = [Release(name, "", "published", "", "") for name in (first, second)]

    assert back_to(None, Live(Slot(second, "")), ["", first, second], releases) == first


@pytest.mark.parametrize(
    ("wanted", "now", "champions", "releases", "words"),
    [
        (None, "", [], [], "nothing is live"),
        (None, OLD, [OLD], [release(OLD)], f"no published release before {OLD}"),
        (NEWER, NEW, [OLD, NEW], [release(OLD), release(NEW)], f"possible targets: {OLD}"),
        ("x", NEW, [OLD, NEW], [release(OLD, "withdrawn")], "possible targets: none"),
        (None, NEW, [NEW], [release(OLD, "candidate")], "nothing to roll back to"),
    ],
)
def test_a_rollback_that_cannot_be_says_what_can(wanted, now, champions, releases, words):
    """At three in the morning."""
    with pytest.raises(ForgeError, match=words):
        back_to(wanted, live(now), champions, releases)


def test_what_is_live_is_made_the_latest_before_anything_is_withdrawn():
    """Whoever asks for no version gets it; a rollback that is cut off is known by what is left."""
    releases = [release(NEWER, latest=True), release(OLD), release(NEW, "candidate")]

    found = settle(["", NEW, OLD, NEWER, OLD], releases)

    assert list(found.items()) == [(NEW, "published"), (OLD, "published"), (NEWER, "withdrawn")]


def test_what_a_person_withdrew_is_not_published_again():
    """A live one is `withdrawn_by_hand`'s matter; an older one stays as the person left it."""
    by_hand = replace(release(OLD, "withdrawn"), by_hand=True)

    assert settle(["", OLD, NEW], [by_hand, release(NEW, latest=True)]) == {}
    assert settle(["", OLD], [by_hand]) == {}


@pytest.mark.parametrize(
    ("champions", "one", "expected", "words"),
    [
        # A version that was rolled back is published again by hand, or marked as the latest.
        ([OLD, NEW, OLD], release(NEW, by_hand=True), "withdrawn", "It is withdrawn again"),
        ([OLD, NEW, OLD], release(NEW, latest=True, by_hand=True), "withdrawn", "revert the commit"),
        ([OLD, NEW, OLD], release(NEW, "withdrawn", latest=True), None, "revert the commit"),
        # Its notes were rewritten, and their first line is lost.
        ([OLD, NEW, OLD], release(NEW, "candidate", by_hand=True), "withdrawn", None),
        # The rollback itself, whose releases follow.
        ([OLD, NEW, OLD], release(NEW, latest=True), "withdrawn", None),
        # One that was never live is marked as the latest.
        ([OLD], release(NEW, latest=True, by_hand=True), None, "was never live"),
        # The notes of what is live were rewritten; and it was made a pre-release at once.
        ([OLD, NEW], release(NEW, latest=True, by_hand=True), "published", None),
        ([OLD, NEW], release(NEW, "candidate", by_hand=True), "published", "mark it as a pre-release again"),
        # A candidate whose notes were rewritten stays one.
        ([OLD], release(NEW, "candidate", by_hand=True), None, None),
    ],
)
def test_what_a_person_changed_and_does_not_last_is_said(champions, one, expected, words):
    """A robot that undoes what a person did, and says nothing, is fought for an hour."""
    releases = [one, release(OLD)]

    assert settle(champions, releases).get(NEW) == expected
    found = undone(champions, releases)
    assert (words or "") in found.get(NEW, "")
    assert bool(found) == bool(words)


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
    found = withdrawn_by_hand(live(NEW), ["", OLD, NEW], releases)

    if expected is None:
        assert found is None
    else:
        assert found[0] == expected[0]
        assert expected[1] in found[1]


def test_a_latest_that_is_newer_than_what_is_live_is_no_wish():
    """It is a rollback whose releases have not followed yet: robots do not undo each other."""
    releases = [release(NEW, latest=True), release(OLD)]

    assert withdrawn_by_hand(live(OLD), ["", OLD, NEW, OLD], releases) is None


def test_nothing_is_taken_off_where_nothing_is_live():
    """A new repository."""
    assert withdrawn_by_hand(live(""), [""], []) is None


def history(*champions, messages=None):
    """One change a day, newest first."""
    texts = [(with_champion(Live(), v, DIGEST[v]) if v else Live(nothing=True)).to_toml() for v in ("", *champions)]
    words = messages or [f"model {v}" for v in ("", *champions)]
    return [Change(f"c{day}", f"2026-01-0{day}T00:00:00Z", words[day - 1], text) for day, text in enumerate(texts, 1)][
        ::-1
    ]


def alert(marker, state="open", body="", memory=None, **more):
    return Alert(1, marker, "t", body, state, (), memory or {}, **more)


def test_an_incident_has_what_was_served_from_when_to_when():
    """From live.toml's history alone, the reason too; a change of the challenger in between does not count."""
    words = ["", "model", "model", "experiment", f"Roll back to {OLD}: it is odd"]
    changes = history(OLD, NEW, NEW, OLD, messages=words)
    (back,) = backs(changes)
    found = rolled_back(back, changes)

    assert found.marker == f"{INCIDENT}{NEW}"
    assert f"`{NEW}` was live from 2026-01-03T00:00:00Z to 2026-01-05T00:00:00Z" in found.body
    assert f"`{OLD}` serves again" in found.body
    assert "**Why:** it is odd" in found.body
    assert f"| 2026-01-02T00:00:00Z | `{OLD}` |" in found.body
    assert "Withdrawn with it" not in found.body
    assert reason_of(NEW, changes) == "it is odd"


def test_a_rollback_by_two_names_the_one_in_the_middle():
    """One incident is enough; the notes of both have the same reason."""
    changes = history(OLD, NEW, NEWER, OLD, messages=[*"abcd", 'Revert "c"'])
    found = rolled_back(backs(changes)[-1], changes)

    assert f"came after `{OLD}`: `{NEW}`" in found.body
    assert found.marker == f"{INCIDENT}{NEWER}"
    assert reason_of(NEW, changes) == reason_of(NEWER, changes) == 'Revert "c"'


@pytest.mark.parametrize(
    ("champions", "withdrawn", "alerts", "expected"),
    [
        ([OLD, NEW, OLD], [NEW], [], [NEW]),
        # The release was deleted: nothing follows, and the incident is due all the same.
        ([OLD, NEW, OLD], [], [], [NEW]),
        ([OLD, NEW, OLD], [NEW], [alert(f"{INCIDENT}{NEW}", "closed", memory={"change": "c4"})], []),
        # From before the commit was noted.
        ([OLD, NEW, OLD], [NEW], [alert(f"{INCIDENT}{NEW}", "closed", "to 2026-01-04T00:00:00Z.")], []),
        # The same version is rolled back a second time.
        ([OLD, NEW, OLD, NEW, OLD], [NEW], [alert(f"{INCIDENT}{NEW}", memory={"change": "c4"})], [NEW]),
        # Another landed since.
        ([OLD, NEW, OLD, NEWER], [], [], []),
        ([OLD, NEW, OLD, NEWER], [NEW], [], [NEW]),
        ([OLD, NEW, NEWER, OLD], [NEW, NEWER], [], [NEWER]),
        ([OLD, NEW], [], [], []),
    ],
)
def test_a_rollback_has_one_incident(champions, withdrawn, alerts, expected):
    """Whoever finishes it, and whoever closed it."""
    found = due(history(*champions), withdrawn, {each.marker: each for each in alerts})

    assert [back.bad for back in found] == expected


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (alert(f"{INCIDENT}{NEW}"), True),
        (alert(f"{INCIDENT}{NEW}", "closed", f"`{NEW}` is in quarantine"), True),
        (alert(f"{INCIDENT}{NEW}", "closed", f"`{NEW}` is live again"), False),
        # A person has opened it again, to go on with it.
        (alert(f"{INCIDENT}{NEW}", "open", f"`{NEW}` is live again", by_hand=True), False),
        (alert(f"{INCIDENT}{OLD}"), False),
    ],
)
def test_the_incident_of_what_is_live_again_says_so(one, says):
    """And keeps what it was about."""
    words = ["", "m", "m", f"Roll back to {OLD}: it is odd", 'Revert "Roll back"']
    changes = history(OLD, NEW, OLD, NEW, messages=words)
    found = live_again(NEW, {one.marker: one}, changes)

    assert bool(found) == says
    if says:
        assert f'`{NEW}` is live again, since 2026-01-05T00:00:00Z: Revert "Roll back"' in found
        assert "**Why it was:** it is odd" in found
        assert "quarantine" not in found


def test_notes_of_what_is_live_again_do_not_say_that_it_is_withdrawn():
    """Whatever the browser made of the ends of lines."""
    assert cleared("Withdrawn: odd\n\n## PROMOTE\n\nGood.\n") == "## PROMOTE\n\nGood.\n"
    assert cleared("Root cause: a join.\r\n\r\nWithdrawn: odd\r\n\r\nGood.\r\n") == (
        "Root cause: a join.\r\n\r\nGood.\r\n"
    )
    assert cleared("Withdrawn: two\n\nWithdrawn: one\n") == ""
    assert cleared("It was not Withdrawn: see below.\n") == "It was not Withdrawn: see below.\n"


@pytest.mark.parametrize(
    ("champions", "releases", "markers", "step"),
    [
        ([OLD], [], ["stuck:" + OLD], f"python -m forge restore STORE/bundles/{OLD}"),
        ([OLD], [release(OLD, "withdrawn", by_hand=True)], ["stuck:" + OLD], "from a pre-release into a release"),
        ([OLD, NEW], [release(OLD, "withdrawn")], ["stuck:" + NEW], "store it again from a copy"),
        (
            [OLD, NEW, NEWER, NEW],
            [release(OLD, "withdrawn"), release(NEWER)],
            ["stuck:" + NEW],
            "a model that the gate has judged",
        ),
        ([OLD, NEW], [release(OLD)], [], ""),
        (
            [OLD, NEW],
            [replace(release(OLD), digest=DIGEST[NEWER]), release(NEW)],
            ["changed:" + OLD],
            "Find out who changed what",
        ),
        ([OLD, NEW], [replace(release(NEW), digest=DIGEST[NEWER])], ["changed:" + NEW], "revert that change"),
        ([OLD], [release(OLD), release(NEWER, "candidate")], [], ""),
        ([], [release(NEWER, "candidate")], [], ""),
    ],
)
def test_what_no_robot_can_put_right_is_an_incident_with_the_step_that_helps(champions, releases, markers, step):
    """The live release is gone and there is none before it, or one is not what main has named."""
    now = live(champions[-1] if champions else "")
    found = troubles(now, history(*champions), releases)

    assert [each.marker for each in found] == [INCIDENT + each for each in markers]
    assert all(step in each.body for each in found)


def test_an_incident_closes_when_what_is_live_has_a_release_again():
    """That one was edited, a person closes."""
    alerts = [alert(f"{INCIDENT}stuck:{OLD}"), alert(f"{INCIDENT}changed:{OLD}"), alert("watch:x")]
    (wrong,) = troubles(live(OLD), history(OLD), [])

    assert over(alerts, []) == [f"{INCIDENT}stuck:{OLD}"]
    assert over(alerts, [wrong]) == []


@pytest.mark.parametrize(
    ("bad", "champions", "words"),
    [
        (NEWER, [OLD, NEW, NEWER, NEW], f"{NEWER} was rolled back before; {NEW} is live, since 2026-01-05"),
        (NEW, [OLD, NEW, NEWER], f"{NEW} is not live any more; {NEWER} is live, since 2026-01-04"),
        ("", [OLD, NEW, OLD], f"{NEW} was just rolled back; {OLD} is live"),
        (NEW, [OLD, NEW, ""], "was rolled back before; nothing is live"),
    ],
)
def test_a_rollback_that_is_about_another_version_says_so(bad, champions, words):
    """With what is live, since when, and how to roll that back."""
    found = stopped(bad, history(*champions))

    assert found.startswith("nothing was rolled back: ")
    assert words in found
    assert "--bad" in found


@pytest.mark.parametrize(
    ("champions", "minutes", "unfinished", "expected"),
    [
        ([OLD, NEW, OLD], 9, False, True),
        ([OLD, NEW, OLD], 11, False, False),
        ([OLD, NEW, OLD], 11, True, True),
        ([OLD, NEW, OLD, OLD], 9 - 24 * 60, False, True),
        ([OLD, NEW, OLD, NEWER], 9 - 24 * 60, False, False),
        ([OLD, NEW, OLD, NEWER], 11, True, False),
        ([OLD, NEW], 9, True, False),
        ([], 9, True, False),
    ],
)
def test_what_was_put_back_a_moment_ago_is_not_what_the_next_press_means(champions, minutes, unfinished, expected):
    """Two people press within a minute, and it goes back by one."""
    changes = history(*champions)
    last = datetime.fromisoformat(changes[0].at)

    assert put_back(changes, last + timedelta(minutes=minutes), unfinished) == expected


def test_a_rollback_is_a_move_to_an_earlier_champion():
    """With the commit that made it, and all that it withdrew."""
    changes = history(OLD, NEW, NEWER, OLD, "")

    assert backs(changes) == [Back(NEWER, OLD, changes[1], (NEW, NEWER)), Back(OLD, "", changes[0], (OLD,))]
    assert since(changes) == changes[0]
    assert since([]) is None
    assert backs([]) == []

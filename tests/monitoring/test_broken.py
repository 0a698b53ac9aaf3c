"""A watch that cannot see says so in an issue of its own, and is never a pass."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from monitoring.acts import Raise, Resolve
from monitoring.broken import Broken, cause_of, crashed, issues, silent
from monitoring.signals import Unknown
from monitoring.window import JournalError

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def alert(kind, state="open", by_hand=False, closed_at=""):
    return SimpleNamespace(
        marker=f"monitor:{kind}",
        state=state,
        by_hand=by_hand,
        closed_at=closed_at,
        body="it was so",
    )


@pytest.mark.parametrize(
    ("answered", "live_since", "words"),
    [
        ("2026-01-14T12:00:00+00:00", "2026-01-01T00:00:00Z", None),
        ("2026-01-13T11:00:00+00:00", "2026-01-01T00:00:00Z", "the newest answer is of 2026-01-13T11:00:00+00:00: more than 2 days ago"),
        ("", "2026-01-01T00:00:00Z", "no answer since 2026-01-01T00:00:00Z, when it went live: more than 2 days ago"),
        ("", "2026-01-14T00:00:00Z", None),
        ("2026-01-01T00:00:00Z", "2026-01-14T00:00:00+01:00", None),
        ("", "", None),
    ],
)  # fmt: skip
def test_no_rows_is_told_after_a_while(answered, live_since, words):
    """A version that has just gone live has none yet."""
    assert silent(answered, live_since, NOW, 2) == ([Broken("rows", (words,))] if words else [])


def test_a_check_that_crashed_is_told_and_one_that_has_too_little_to_go_by_is_not():
    """The first days of a model are no fault."""
    few = Unknown("score_drift", "the reference has 3 full days")
    torn = Unknown("realised_performance", "ValueError: no", crashed=True)

    assert crashed([few]) == []
    assert crashed([few, torn]) == [Broken("checks", ("realised_performance: ValueError: no",))]


def test_an_error_says_what_is_broken():
    """The first kind that fits; whatever is not known is the run."""
    kinds = {JournalError: "journal", OSError: "journal"}

    assert cause_of(JournalError("gone"), kinds) == Broken("journal", ("JournalError: gone",))
    assert cause_of(KeyError("x"), kinds) == Broken("run", ("KeyError: 'x'",))


def test_each_kind_has_an_issue_and_a_whole_run_closes_those_that_are_well():
    """One that did not come to its end knows nothing of the others."""
    broken = [Broken("rows", ("none since Monday",))]
    raised, closed = issues(
        broken, [alert("journal"), alert("rows"), alert("run", "closed")], NOW, 14
    )

    assert isinstance(raised, Raise)
    assert (raised.marker, raised.title) == ("monitor:rows", "The watch: no rows arrive")
    assert raised.body == (
        "**No rows arrive.** That is no alarm about the model, and no pass either: it is not watched.\n\n"
        "- none since Monday\n\n"
        "**What to do.** See that the scorer answers (`/health`), that the website asks it, and that its journal is"
        " shipped here. This closes itself with the next run that is whole.\n"
    )
    assert isinstance(closed, Resolve)
    assert (closed.marker, closed.body) == ("monitor:journal", "It is well again.\n\nit was so")
    assert len(issues(broken, [alert("journal")], NOW, 14, whole=False)) == 1


@pytest.mark.parametrize(("closed_at", "left"), [("2026-01-14T00:00:00Z", True), ("2026-01-01T00:00:00Z", False)])  # fmt: skip
def test_one_that_a_person_closed_is_left_alone_for_a_while(closed_at, left):
    """Somebody knows of it."""
    known = [alert("rows", "closed", by_hand=True, closed_at=closed_at)]

    assert bool(issues([Broken("rows", ())], known, NOW, 14)) is not left


@pytest.mark.parametrize("kind", ["journal", "evidence", "rows", "checks", "settings", "run"])
def test_words_from_an_error_cannot_break_out(kind):
    """A message may hold anything."""
    (raised,) = issues([Broken(kind, ("<!-- @all\n# x",))], [], NOW, 14)

    for sign in ("<!--", "@all", "\n# x"):
        assert sign not in raised.body

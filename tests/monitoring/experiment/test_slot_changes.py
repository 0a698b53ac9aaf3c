"""What is due, by state and policy: as a table."""

from types import SimpleNamespace

import pytest

from monitoring.experiment.decision import Judgement
from monitoring.experiment.slot_changes import deed_of, settled
from monitoring.experiment.variant_comparison import Result
from tests.monitoring.experiment.conftest import NEW, a_split
from tests.monitoring.experiment.test_decision import reading


def a_result(state, slices=(), novelty=()):
    return Result(a_split(), 14, (1, 1), 2, (), slices, novelty, Judgement(state, "because"))


HURT = [reading(-0.2, -0.1, name="device = phone")]
WEARS_OFF = [reading(0.1, 0.2), reading(-0.2, 0.05)]


@pytest.mark.parametrize(
    ("state", "policy", "more", "branch", "alone"),
    [
        ("wins", "propose", {}, "promote", False),
        ("wins", "always", {}, "promote", True),
        ("wins", "always", {"slices": HURT}, "promote", False),
        ("wins", "always", {"novelty": WEARS_OFF}, "promote", False),
        ("wins", "never", {}, None, None),
        ("loses", "propose", {}, "end-experiment", False),
        ("loses", "always", {"slices": HURT}, "end-experiment", True),
        ("loses", "never", {}, None, None),
        ("equivalent", "always", {}, None, None),
        ("running", "always", {}, None, None),
        ("broken", "always", {}, None, None),
    ],
)
def test_what_is_due_is_by_policy(state, policy, more, branch, alone):
    """A slice that is hurt, or a gain that wears off, is a person's to weigh."""
    deed = deed_of(a_result(state, **more), policy)

    assert (deed and deed.branch, deed and deed.alone) == (branch, alone)
    assert deed is None or NEW in deed.title
    assert not (more and branch == "promote") or deed.why != "because"


@pytest.mark.parametrize(
    ("state", "title", "again"),
    [("open", "t", True), ("closed", "t", False), ("merged", "t", False), ("closed", "u", True)],
)
def test_what_a_person_closed_is_not_opened_again(state, title, again):
    """Nor what was merged."""
    deed = deed_of(a_result("wins"), "propose")
    before = SimpleNamespace(title=deed.title if title == "t" else "another", state=state)

    assert (settled(deed, [before]) is None) == again

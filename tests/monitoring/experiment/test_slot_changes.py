"""The change that is due, by state and policy: a table."""

from types import SimpleNamespace

import pytest

from monitoring.experiment.decision import Decision
from monitoring.experiment.slot_changes import change_due, decided_proposal
from monitoring.experiment.variant_comparison import Result
from tests.monitoring.experiment.conftest import NEW, a_split
from tests.monitoring.experiment.test_decision import reading


def a_result(state, slices=(), novelty=()):
    return Result(a_split(), 14, (1, 1), 2, (), slices, novelty, Decision(state, "because"))


HARMED = [reading(-0.2, -0.1, name="device = phone")]
NOVELTY = [reading(0.1, 0.2), reading(-0.2, 0.05)]


@pytest.mark.parametrize(
    ("state", "policy", "more", "branch", "automatic"),
    [
        ("wins", "propose", {}, "promote", False),
        ("wins", "always", {}, "promote", True),
        ("wins", "always", {"slices": HARMED}, "promote", False),
        ("wins", "always", {"novelty": NOVELTY}, "promote", False),
        ("wins", "never", {}, None, None),
        ("loses", "propose", {}, "end-experiment", False),
        ("loses", "always", {"slices": HARMED}, "end-experiment", True),
        ("loses", "never", {}, None, None),
        ("equivalent", "always", {}, None, None),
        ("running", "always", {}, None, None),
        ("broken", "always", {}, None, None),
    ],
)
def test_the_change_that_is_due(state, policy, more, branch, automatic):
    """With a harmed slice or a novelty effect a person decides."""
    change = change_due(a_result(state, **more), policy)

    assert (change and change.branch, change and change.automatic) == (branch, automatic)
    assert change is None or NEW in change.title
    assert not (more and branch == "promote") or change.why != "because"


@pytest.mark.parametrize(
    ("state", "title", "again"),
    [("open", "t", True), ("closed", "t", False), ("merged", "t", False), ("closed", "u", True)],
)
def test_a_decided_proposal_is_not_made_again(state, title, again):
    """Whether a person closed or merged it."""
    change = change_due(a_result("wins"), "propose")
    before = SimpleNamespace(title=change.title if title == "t" else "another", state=state)

    assert (decided_proposal(change, [before]) is None) == again

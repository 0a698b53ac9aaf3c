"""What keeps a pull request from being merged: a rule is named at once, what passes is waited for."""

import pytest

from contracts.live_config import LIVE, Live, with_champion
from forge.github.github_forge import GitHubForge
from forge.github.merging import MERGE_PAUSES, obstacle
from forge.interface import ForgeError
from tests.forge.conftest import BUNDLES, Clock
from tests.forge.fake_github import NAME

A = min(path.name for path in BUNDLES.iterdir())
TEXT = with_champion(Live(), A, "sha256:" + "0" * 64).to_toml()
RULES = "Repository rule violations found "
EXPECTED = 'Required status check "required" is expected.'

#: what GitHub says -> what a person is asked to do
AT_ONCE = {
    "At least 1 approving review is required by reviewers with write access.": "approve and merge pull request 1: that is enough",
    "At least 2 approving reviews are required by reviewers with write access.": "approve and merge",
    "Waiting on code owner review from octo-org/ml.": "approve and merge",
    "New changes require approval from someone other than octocat because they were the last pusher.": "approve and merge",
    "Changes must be approved by someone other than the last pusher.": "approve and merge",
    "Requested changes must be addressed before merging.": "settle the changes",
    "Changes must be made through the merge queue": "`Merge when ready` in pull request 1",
    "Commits must have verified signatures.": "in the browser",
    "Squash merges are not allowed on this repository.": "allow squash merging",
    "Merge method squash merging is not allowed on this repository": "allow squash merging",
    "This branch must not contain merge commits.": "allow squash merging",
    "A conversation must be resolved before this pull request can be merged.": "resolve the conversations of pull request 1",
    "Missing successful active production deployment.": "deploy the branch",
    "Cannot change this locked branch": "unlock the default branch",
    "Pull Request is still a draft": "`Ready for review` in pull request 1",
    "Cannot update this protected ref.": "that the rule allows",
    "You're not authorized to push to this branch.": "that the rule allows",
    "Head branch is out of date. Review and try the merge again.": "`Update branch`",
    "Commit message must match a given regex pattern": "with the message that the rule requires",
    'Required status check "required" is failing.': "see why the check failed",
    "2 of 3 required status checks have not succeeded: 1 expected and 1 failing.": "see why the check failed",
    'Required status check "gate" was not set by the expected GitHub app.': "python -m forge doctor",
}
#: what passes by itself
WAITED_FOR = [
    EXPECTED,
    'Required status check "build" is queued.',
    'Required status check "deploy preview by a code owner" is in progress.',
    "2 of 2 required status checks are pending.",
    "1 of 3 required status checks have not succeeded: 1 expected.",
    "Code scanning is waiting for results from CodeQL for the commits.",
    "Base branch was modified. Review and try the merge again.",
    "Merge already in progress",
]


@pytest.fixture
def slept():
    return []


@pytest.fixture
def judged(fake, slept):
    """A forge whose proposal has a good status."""
    forge = GitHubForge(NAME, "secret", fake.url, Clock(), sleep=slept.append)
    forge.propose("retrain", "a model", "", {LIVE: TEXT})
    forge.status("retrain", True, "good")
    return forge


@pytest.mark.parametrize("before", ["", RULES])
@pytest.mark.parametrize(("said", "cure"), AT_ONCE.items(), ids=AT_ONCE)
def test_a_rule_that_no_waiting_cures_is_named_at_once_with_what_to_do(judged, fake, slept, before, said, cure):
    """One request, no pause; also where a check that runs is missing as well."""
    fake.trouble(405, path="merge", message=f"{before}{said} {EXPECTED if before else ''}", times=9)

    with pytest.raises(ForgeError, match="does not merge proposal 1") as error:
        judged.merge("retrain", "a model")
    assert cure in str(error.value)
    assert said.rstrip(".") in str(error.value)
    assert slept == []


@pytest.mark.parametrize("said", WAITED_FOR)
def test_what_passes_by_itself_is_waited_for(judged, fake, slept, said):
    """Up to ten minutes."""
    fake.trouble(405, path="merge", message=said, times=8)

    assert judged.merge("retrain", "a model") == fake.refs["heads/main"]
    assert slept == list(MERGE_PAUSES[:8])


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ({"mergeable": False, "mergeable_state": "dirty"}, "conflicts with the default branch"),
        ({"mergeable_state": "blocked"}, "a rule of the default branch is not met"),
        ({"mergeable_state": "behind"}, "Update branch"),
        ({"draft": True}, "Ready for review"),
        ({"head": {"sha": "0" * 40}}, "its branch has changed meanwhile"),
        ({"state": "closed"}, "it was closed meanwhile"),
    ],
)
def test_where_the_words_say_little_the_pull_requests_state_does(shown, said):
    """GitHub has one sentence for many reasons."""
    found = obstacle("Pull Request is not mergeable", {"number": 1} | shown, "1" * 40)

    assert said in found.cure
    assert found.pauses == 0


@pytest.mark.parametrize("shown", [{"mergeable": None}, {"mergeable_state": "unknown"}])
def test_a_mergeability_that_github_still_computes_is_waited_for(shown):
    """It takes a moment after each push."""
    found = obstacle("Pull Request is not mergeable", {"number": 1} | shown, "1" * 40)

    assert found.pauses == len(MERGE_PAUSES)


def test_a_reason_that_is_not_known_is_waited_for_briefly(judged, fake, slept):
    """Half a minute, and then it is passed on."""
    fake.trouble(405, path="merge", message="The stars are not right.", times=99)

    with pytest.raises(ForgeError, match="The stars are not right. See https"):
        judged.merge("retrain", "a model")
    assert sum(slept) == 30


def test_a_person_who_merges_meanwhile_is_as_good(judged, fake, slept):
    """The commit is the person's."""
    fake.trouble(405, path="merge", message=EXPECTED, times=1)
    fake.pulls[1] |= {"shown": {"merged": True, "merge_commit_sha": "c" * 40}}

    assert judged.merge("retrain", "a model") == "c" * 40


def test_a_rule_for_a_robots_branch_is_named_with_what_to_do(fake, slept):
    """A ruleset may target every branch."""
    forge = GitHubForge(NAME, "secret", fake.url, Clock(), sleep=slept.append)
    said = f"{RULES}Cannot force-push to this branch"
    fake.trouble(422, path="git/refs", message=said, times=9)

    with pytest.raises(ForgeError, match="a rule forbids POST git/refs .*bypass list"):
        forge.propose("retrain", "a model", "", {LIVE: TEXT})
    assert slept == []

"""What GitHub refuses for the repository's or the organisation's sake is no missing permission."""

import pytest

from forge.github.github_forge import GitHubForge
from forge.interface import ForgeError
from forge.opening import open_forge
from tests.forge.conftest import Clock
from tests.forge.fake_github import NAME

NO_INTEGRATION = "Resource not accessible by integration"
#: status, GitHub's words, what it shows of the repository -> what is said
OF_THE_REPOSITORY = {
    "archived": (403, "Repository was archived so is read-only.", {}, "is archived"),
    "archived, as not found": (404, "Not Found", {"archived": True}, "is archived"),
    "archived, as forbidden": (403, NO_INTEGRATION, {"archived": True}, "is archived"),
    "renamed": (307, "Moved", {"full_name": "acme/train"}, "use github:acme/train"),
    "renamed for good": (301, "Moved", {"full_name": "new/toy"}, "use github:new/toy"),
    "moved, as not found": (404, "Not Found", {"full_name": "new/toy"}, "use github:new/toy"),
    "disabled": (403, "Nope", {"disabled": True}, "has disabled acme/toy"),
    "blocked": (403, "Repository access blocked", {}, "has disabled acme/toy"),
    "issues off": (410, "Issues are disabled for this repo", {}, "Settings → General → Features"),
    "single sign-on": (403, "Resource protected by organization SAML enforcement.", {}, "sign-on"),
    "allow list": (403, "the organization has an IP allow list enabled", {}, "ask its owners"),
    "reader": (403, "Write access to repository not granted.", {}, "give it write access"),
}


@pytest.mark.parametrize(("status", "message", "shown", "said"), OF_THE_REPOSITORY.values(), ids=OF_THE_REPOSITORY)
def test_the_cause_is_named_and_no_permission(github, fake, status, message, shown, said):
    """Whoever adds a permission to the workflow has lost an hour."""
    fake.shown = shown
    fake.trouble(status, method="POST", path="issues", message=message, times=9)

    with pytest.raises(ForgeError, match=said) as error:
        github.alert("watch", "drift", "")
    assert "permissions" not in str(error.value)


def test_a_repository_that_is_not_there_is_reported_when_it_is_written_to(fake):
    """A token without access sees it no more than one that does not exist."""
    forge = GitHubForge("acme/toys", "secret", fake.url, Clock(), sleep=lambda seconds: None)

    with pytest.raises(ForgeError, match="knows no repository acme/toys, or does not show it"):
        forge.say(1, "hello")
    with pytest.raises(ForgeError, match="knows no repository acme/toys"):
        forge.set_state(1, "closed")


def test_a_permission_that_is_missing_is_still_named(github, fake):
    """Where the repository is as it should be."""
    fake.trouble(403, method="POST", path="issues", message=NO_INTEGRATION, times=9)

    with pytest.raises(ForgeError, match="it needs issues: write: add that to the job's"):
        github.alert("watch", "drift", "")


@pytest.mark.parametrize(
    ("headers", "times", "pauses"),
    [
        ({"Retry-After": "600"}, 1, [600]),
        ({"Retry-After": "1"}, 30, [1] * 30),
        ({"Retry-After": "0"}, 2, [1, 1]),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1772323800"}, 1, [600]),
        ({}, 3, [60, 60, 60]),
    ],
)
def test_github_is_waited_for_as_long_as_the_job_has_time(fake, headers, times, pauses):
    """However often it asks; a request that it put off was not carried out."""
    slept = []
    forge = GitHubForge(NAME, "secret", fake.url, Clock(), sleep=slept.append, patience=1200)
    message = "You have exceeded a secondary rate limit."
    fake.trouble(403, method="POST", path="issues", message=message, times=times, headers=headers)
    forge.alert("watch", "drift", "")

    assert [round(each, -1 if each > 99 else 0) for each in slept] == pauses
    assert len(fake.issues) == 1


@pytest.mark.parametrize(("patience", "waits"), [(60, 1), (600, 10)])
def test_a_github_that_only_ever_asks_to_wait_is_given_up(fake, patience, waits):
    """A clock that stands still changes nothing: what was slept is counted."""
    slept = []
    forge = GitHubForge(NAME, "secret", fake.url, Clock(), sleep=slept.append, patience=patience)
    fake.trouble(429, method="POST", headers={"Retry-After": "60"}, times=99)

    with pytest.raises(ForgeError, match="takes no more requests until"):
        forge.alert("watch", "drift", "")
    assert len(slept) == waits


def test_a_job_says_how_long_may_be_waited(monkeypatch):
    """In minutes; nonsense is refused."""
    monkeypatch.setenv("WAIT_MINUTES", "soon")
    with pytest.raises(ForgeError, match="WAIT_MINUTES is 'soon'; expected a number of minutes"):
        open_forge("github:acme/toy")
    monkeypatch.setenv("WAIT_MINUTES", "20")
    open_forge("github:acme/toy")

"""The forge on GitHub: killed anywhere it finishes the next time, and what it cannot do it says."""

import io
import json
import zipfile
from copy import deepcopy

import pytest

from contracts.live_config import LIVE, Live, with_champion
from forge.github.github_forge import GitHubForge
from forge.github.hidden_metadata import LIMIT
from forge.interface import ForgeError, Schedule
from forge.records import render
from tests.forge.conftest import BUNDLES, Clock, on_github
from tests.forge.fake_github import NAME, ROBOT, FakeGitHub

pytestmark = pytest.mark.slow

A, B = sorted(path.name for path in BUNDLES.iterdir())
STRANGER = {"login": "mallory", "type": "User"}


def live_toml(version):
    return with_champion(Live(), version, "sha256:" + "0" * 64).to_toml()


def propose(forge, version=A):
    return forge.propose("retrain", f"model {version}", "card", {LIVE: live_toml(version)}, ["m"])


def judged(forge):
    propose(forge)
    forge.status("retrain", True, "good")


def stored(forge):
    forge.upload(A, BUNDLES / A)


def published(forge):
    stored(forge)
    forge.describe(A, "notes\n")
    forge.publish(A)


def everything(fake):
    """What a person would see, without numbers, times and what no branch leads to."""
    return deepcopy(
        {
            "refs": {name: fake.files(sha) for name, sha in fake.refs.items()},
            "log": [fake.commits[sha]["message"] for sha in fake.log(fake.refs["heads/main"])],
            "issues": [
                {k: i[k] for k in ("title", "state", "labels")} | {"said": i["body"].partition("\n")[2]}
                for i in fake.issues.values()
            ],
            "pulls": [(n, p["branch"], bool(p["merged_at"])) for n, p in fake.pulls.items()],
            "comments": [each["body"] for each in fake.comments.values()],
            "statuses": [(each["state"], each["description"]) for each in fake.statuses],
            "releases": [
                {k: r[k] for k in ("tag_name", "name", "draft", "prerelease")}
                | {"said": r["body"].partition("\n")[2], "latest": fake.latest() == r["id"]}
                for r in fake.releases.values()
            ],
            "assets": sorted((a["name"], a["state"], len(a["content"])) for a in fake.assets.values()),
        }
    )


#: operation -> what comes before it, and the operation
WRITES = {
    "propose": (lambda forge: None, propose),
    "propose again": (propose, lambda forge: propose(forge, B)),
    "status": (propose, lambda forge: forge.status("retrain", True, "good")),
    "comment": (propose, lambda forge: forge.comment("retrain", "verdict", "good")),
    "merge": (judged, lambda forge: forge.merge("retrain", "model")),
    "close": (propose, lambda forge: forge.close("retrain", "worse")),
    "alert": (lambda forge: None, lambda forge: forge.alert("watch", "drift", "body")),
    "alert again": (
        lambda forge: forge.alert("watch", "drift", "body"),
        lambda forge: forge.alert("watch", "more drift", "body"),
    ),
    "resolve": (lambda forge: forge.alert("watch", "drift", "body"), lambda forge: forge.resolve("watch", "quiet")),
    "note": (lambda forge: forge.alert("watch", "drift", "body"), lambda forge: forge.note(1, "reply:7", "done")),
    "upload": (lambda forge: None, stored),
    "describe": (stored, lambda forge: forge.describe(A, "notes\n")),
    "publish": (stored, lambda forge: forge.publish(A)),
    "withdraw": (published, lambda forge: forge.withdraw(A, "wrong")),
    "discard": (stored, lambda forge: forge.discard(A)),
}


@pytest.fixture
def begun():
    """Makes a GitHub on which something was done."""

    def begin(before):
        fake = FakeGitHub({LIVE: Live().to_toml()})
        before(on_github(fake))
        fake.calls.clear()
        return fake

    return begin


@pytest.mark.parametrize("killed", ["before", "after"])
@pytest.mark.parametrize("name", WRITES)
def test_a_write_that_was_killed_anywhere_is_finished_by_the_next_and_doubles_nothing(begun, name, killed):
    """Whichever request was the last, carried out or not."""
    before, write = WRITES[name]
    calm = begun(before)
    write(on_github(calm))
    requests = len(calm.calls)

    for last in range(requests):
        fake = begun(before)
        fake.trouble(killed, skip=last, times=1)
        fake.trouble("before", skip=last, times=1000)  # and then nothing works any more
        with pytest.raises(ForgeError, match="GitHub gave no answer to .* run the command again"):
            write(on_github(fake))
        fake.faults.clear()
        write(on_github(fake))

        assert everything(fake) == everything(calm), f"killed {killed} request {last}"


@pytest.mark.parametrize("trouble", ["before", "after", "cut", 502])
@pytest.mark.parametrize("name", WRITES)
def test_one_bad_answer_is_survived(begun, name, trouble):
    """What is read is asked for again; before a write is written again, it is looked for."""
    before, write = WRITES[name]
    calm = begun(before)
    expected = write(on_github(calm))

    for number in range(len(calm.calls)):
        fake = begun(before)
        fake.trouble(trouble, skip=number)
        found = write(on_github(fake))

        assert everything(fake) == everything(calm), f"trouble at request {number}"
        assert (found is None) == (expected is None)


def test_a_write_that_gets_no_answer_is_reported_in_one_sentence(github, fake):
    """With what to do, and never with the token."""
    fake.trouble(502, method="POST", times=100)

    with pytest.raises(ForgeError, match="POST git/trees .status 502.: it may or may not have been") as raised:
        propose(github)
    assert "run the command again" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_what_github_asks_to_wait_is_waited(fake):
    """Up to a minute, for reads and for writes."""
    slept = []
    forge = GitHubForge(NAME, "secret", fake.url, Clock(), sleep=slept.append)
    fake.trouble(429, method="POST", headers={"Retry-After": "7"})
    limit = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1772323240"}
    fake.trouble(403, method="GET", headers=limit)
    forge.alert("watch", "drift", "")

    assert len(fake.issues) == 1
    assert [round(each) for each in slept] == [40, 7]


def test_a_longer_wait_is_reported_with_its_end(github, fake):
    """A robot's minutes cost money."""
    limit = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1772326800"}
    fake.trouble(403, headers=limit)

    with pytest.raises(ForgeError, match="no more requests until 2026-03-01 01:00:0. UTC"):
        github.alerts()


def test_a_github_that_cannot_be_reached_is_reported(fake):
    """A server that follows it serves on."""
    forge = GitHubForge(NAME, "secret", "http://127.0.0.1:9", Clock(), sleep=lambda seconds: None)

    with pytest.raises(ForgeError, match="GitHub gave no answer to GET contents"):
        forge.read(LIVE)


@pytest.mark.parametrize(
    ("write", "permission"),
    [
        (propose, "contents"),
        (lambda forge: forge.comment("retrain", "c", ""), "pull-requests: write, and for an alert issues"),
        (lambda forge: forge.status("retrain", True, ""), "statuses"),
        (lambda forge: forge.alert("m", "t", ""), "issues"),
        (stored, "contents"),
    ],
)
def test_a_permission_that_is_missing_is_named(github, fake, write, permission):
    """With where to grant it."""
    propose(github, B)
    fake.tokens["weak"] = ({"contents": "read"}, ROBOT, "NONE")

    with pytest.raises(ForgeError, match=f"it needs {permission}: write: add that to the job's"):
        write(on_github(fake, "weak"))


def test_a_setting_that_is_off_is_named(github, fake):
    """GitHub's default is off."""
    fake.may_open_pulls = False

    with pytest.raises(ForgeError, match="Settings → Actions → General → Allow GitHub Actions"):
        propose(github)


def test_a_wrong_token_and_a_wrong_name_are_reported(fake):
    """Nothing else looks like an empty repository."""
    with pytest.raises(ForgeError, match="does not accept the token .Bad credentials.") as raised:
        on_github(fake, "mistyped").alerts()
    assert "mistyped" not in str(raised.value)
    with pytest.raises(ForgeError, match="knows no repository acme/toys"):
        GitHubForge("acme/toys", "", fake.url, Clock()).read(LIVE)
    with pytest.raises(ForgeError, match="expected github:OWNER/NAME"):
        GitHubForge("toys", "", fake.url, Clock())
    with pytest.raises(ForgeError, match="characters that a token cannot have") as raised:
        GitHubForge(NAME, "sec\nret", fake.url, Clock())
    assert "ret" not in str(raised.value).replace("secret", "")


def test_a_public_repository_is_followed_without_a_token(github, fake, tmp_path):
    """A server needs no secret."""
    published(github)
    fake.push({LIVE: live_toml(A)})
    anyone = on_github(fake, "")

    assert anyone.read(LIVE) == live_toml(A)
    assert [release.version for release in anyone.releases()] == [A]
    anyone.download(A, tmp_path / "bundle")


def test_looking_again_costs_a_conditional_request(github, fake):
    """GitHub counts no 304 against the limit of a token."""
    first = github.read(LIVE)
    fake.calls.clear()

    assert github.read(LIVE) == first
    assert [status for _, _, status in fake.calls] == [304]
    fake.push({LIVE: live_toml(B)})
    assert github.read(LIVE) == live_toml(B)


def test_the_text_of_a_commit_is_read_once(github, fake):
    """It never changes."""
    fake.push({LIVE: live_toml(A)}, "A\n\nwith a reason")
    fake.push({LIVE: live_toml(B)}, "B")
    assert [change.message for change in github.history(LIVE)] == ["B", "A", "Begin"]
    fake.calls.clear()
    github.history(LIVE)

    assert [status for _, _, status in fake.calls] == [304]


def test_the_store_of_the_assets_never_sees_the_token(github, fake, tmp_path):
    """GitHub sends a download to another host, which refuses whoever brings it."""
    published(github)
    fake.calls.clear()
    github.download(A, tmp_path / "bundle")

    stores = [status for _, path, status in fake.calls if path.startswith("/store/")]
    assert stores
    assert {*stores} == {200}


def test_an_asset_that_is_damaged_is_named_and_nothing_is_left(github, fake, tmp_path):
    """Also if GitHub itself takes it to be whole."""
    published(github)
    asset = next(a for a in fake.assets.values() if a["name"] == "model.onnx")
    asset["content"] = asset["content"][:-1]

    with pytest.raises(ForgeError, match=f"asset model.onnx of {A} is damaged"):
        github.download(A, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_cannot_write_outside_of_the_bundle(github, fake, tmp_path):
    """Names come from a release, which a person may have made."""
    published(github)
    asset = next(a for a in fake.assets.values() if a["name"] == "manifest.json")
    asset["content"] = json.dumps({"files": {"../x": "sha256:0"}}).encode()

    with pytest.raises(ForgeError, match="outside the bundle"):
        github.download(A, tmp_path / "bundle")


def test_a_stranger_with_a_forged_hidden_line_is_nobody(github, fake):
    """Anybody may write on a public repository; a member may stand in for a robot."""
    pull = propose(github)
    for who, association in (("mallory", "NONE"), ("newcomer", "CONTRIBUTOR")):
        fake.tokens[who] = (None, STRANGER, association)
        on_github(fake, who).comment("retrain", "verdict", "PROMOTE")
        on_github(fake, who).alert("watch", "forged", "")
    assert github.proposal("retrain").comments == {}
    assert github.alerts() == []
    fake.tokens["member"] = (None, {"login": "dana", "type": "User"}, "COLLABORATOR")
    on_github(fake, "member").comment("retrain", "verdict", "HOLD")

    assert github.proposal("retrain").comments == {"verdict": "HOLD"}
    assert pull.comments == {}


def test_only_who_may_write_is_one_who_may_write(github, fake):
    """A collaborator may be one who only reads; an invalid name is nobody's."""
    fake.people |= {"ada": "admin", "dana": "write", "rita": "read", "mallory": "none"}

    names = ("ada", "dana", "rita", "mallory", "ghost")
    assert [github.may_write(name) for name in names] == [True, True, False, False, False]


def test_a_stranger_cannot_answer_for_a_robot(github, fake):
    """With the hidden line of a robot's reply: the comment stays unanswered."""
    number = github.alert("watch", "drift", "").number
    fake.tokens["dana"] = (None, {"login": "dana", "type": "User"}, "COLLABORATOR")
    fake.tokens["mallory"] = (None, STRANGER, "NONE")
    on_github(fake, "dana").say(number, "/rollback")
    (asked,) = github.comments(number)
    on_github(fake, "mallory").note(number, f"reply:{asked.id}", "done")

    assert [(each.author, each.reply) for each in github.comments(number)] == [("dana", None), ("mallory", None)]


def test_a_comment_whose_answer_was_lost_is_said_once(github, fake):
    """It is looked for before it is said again."""
    number = github.alert("watch", "drift", "").number
    fake.tokens["dana"] = (None, {"login": "dana", "type": "User"}, "COLLABORATOR")
    fake.trouble("after", method="POST", path="comments")
    on_github(fake, "dana").say(number, "/ack 7d")

    assert [each.body for each in github.comments(number)] == ["/ack 7d"]


def test_an_alert_of_an_older_robot_is_nobodys_hand(github, fake):
    """It noted less."""
    github.alert("watch", "drift", "")
    fake.issues[1]["body"] = render({"marker": "watch", "history": ["then opened: drift"]}, "")
    fake.issues[1]["state"] = "closed"

    (alert,) = github.alerts()
    assert (alert.by_hand, alert.memory, len(alert.history)) == (False, {}, 1)


def test_a_member_that_github_takes_for_a_stranger_doubles_nothing(github, fake):
    """Membership can be private; a token knows at least its own."""
    propose(github)
    fake.tokens["private"] = (None, {"login": "dana", "type": "User"}, "NONE")
    dana = on_github(fake, "private")
    for text in ("one", "two"):
        dana.comment("retrain", "verdict", text)
        dana.alert("watch", text, "")

    assert len(fake.comments) == 1
    assert [alert.title for alert in dana.alerts()] == ["two"]


def test_a_forks_branch_of_the_same_name_is_no_proposal(github, fake):
    """Anybody may open a pull request from a fork."""
    number = propose(github).number
    fake.pulls[number]["repo"] = {"id": 2, "full_name": "mallory/toy"}

    assert github.proposal("retrain") is None
    assert github.proposals() == []


def test_a_proposal_that_a_person_opened_is_one(github, fake):
    """Its body has no hidden line, and may be empty."""
    propose(github)
    fake.issues[1]["body"] = None

    assert github.proposal("retrain").body == ""
    github.status("retrain", True, "good")
    assert github.merge("retrain", "by hand")


def test_a_body_that_was_edited_in_a_browser_is_still_ours(github, fake):
    """Browsers send other ends of lines."""
    github.alert("watch", "drift", "one\ntwo")
    fake.issues[1]["body"] = fake.issues[1]["body"].replace("\n", "\r\n")

    assert github.alert("watch", "drift", "three").number == 1
    assert len(fake.issues) == 1


def test_what_is_too_long_is_cut_and_says_so(github, fake):
    """GitHub would refuse it."""
    github.alert("watch", "t" * 1000, "x" * LIMIT)
    propose(github)
    github.comment("retrain", "verdict", "x" * LIMIT)
    github.status("retrain", False, "s" * 1000)

    assert github.alerts()[0].body.endswith("cut here: GitHub keeps 65,536 characters.\n")
    assert github.proposal("retrain").status == (False, "s" * 139 + "…")


def test_an_alert_remembers_its_last_fifty_changes_and_says_nothing_twice(github, fake):
    """A hidden line has an end, too."""
    for number in range(55):
        github.alert("watch", f"drift {number}", "")
    github.alert("watch", "drift 54", "")

    history = github.alerts()[0].history
    assert (len(history), history[-1][-8:], history[-2][-8:]) == (50, "drift 54", "drift 53")


def test_a_bundle_is_stored_and_rolled_back_where_releases_are_immutable(github, fake, tmp_path):
    """Nothing touches an asset after it is published."""
    fake.immutable = True
    (tmp_path / "attested").write_text("{}\n")
    for version in (A, B):
        github.upload(version, BUNDLES / version, tmp_path / "attested")
        github.publish(version)
    github.publish(A)
    github.withdraw(B, "wrong")

    assert [(r.version, r.state, r.latest) for r in github.releases()] == [
        (B, "withdrawn", False),
        (A, "published", True),
    ]
    for release in fake.releases:
        names = [a["name"] for a in fake.assets.values() if a["release"] == release]
        assert (names[0], names[-1]) == ("attestation.jsonl", "manifest.json")
    github.upload(A, BUNDLES / A)  # the same again


def test_an_upload_that_was_cut_in_an_asset_is_finished(github, fake):
    """GitHub keeps the beginning, and gives its name to nothing else."""
    fake.trouble("before", method="PATCH", times=100)
    with pytest.raises(ForgeError, match="no answer to PATCH releases"):
        stored(github)
    fake.faults.clear()
    asset = next(a for a in fake.assets.values() if a["name"] == "model.onnx")
    asset |= {"state": "starter", "content": b""}
    assert github.releases() == []
    stored(github)

    assert [release.state for release in github.releases()] == ["candidate"]
    assert sum(a["name"] == "model.onnx" for a in fake.assets.values()) == 1
    assert {a["state"] for a in fake.assets.values()} == {"uploaded"}


def test_a_release_that_a_person_made_is_none_of_ours(github, fake):
    """Whatever is in its notes: it holds no bundle."""
    published(github)
    [release] = fake.releases.values()
    release["tag_name"] = "v1"
    release["body"] = render({"version": "v1", "state": "published"}, "notes")

    assert github.releases() == []


@pytest.mark.parametrize(("prerelease", "state"), [(False, "published"), (True, "candidate")])
def test_notes_that_a_person_rewrote_lose_nothing(github, fake, prerelease, state):
    """The hidden line went with them: the release itself says what it is, and gets its line back."""
    published(github)
    before = github.releases()[0]
    [release] = fake.releases.values()
    release["body"], release["prerelease"] = "my own words", prerelease

    (found,) = github.releases()
    assert (found.version, found.digest, found.state) == (before.version, before.digest, state)
    assert found.notes == "my own words"
    github.publish(A)
    assert github.releases()[0].notes == "my own words"
    assert release["body"].startswith("<!-- tidegate: ")


def test_a_hand_on_the_releases_is_seen(github, fake):
    """A person marks one as prerelease, or another as the latest."""
    for version in (A, B):
        github.upload(version, BUNDLES / version)
        github.publish(version)
    older, newer = sorted(fake.releases.values(), key=lambda r: r["tag_name"])
    fake.pinned = older["id"]
    assert [(r.version, r.latest) for r in github.releases()] == [(B, False), (A, True)]
    newer["prerelease"] = True

    by_hand = github.releases()[0]
    assert (by_hand.version, by_hand.state, by_hand.by_hand) == (B, "withdrawn", True)
    github.withdraw(B, "as a person did")
    assert not github.releases()[0].by_hand


def test_a_merge_that_github_refuses_is_reported(github, fake):
    """And one that came between is looked at again."""
    judged(github)
    fake.trouble(405, path="merge", message="Required status check is expected.", times=99)
    with pytest.raises(ForgeError, match="does not merge proposal 1 .retrain. after 10 minutes: Requ"):
        github.merge("retrain", "model")
    fake.faults.clear()
    fake.trouble(405, path="merge", message="Squash merges are not allowed.")
    with pytest.raises(ForgeError, match="Squash merges are not allowed"):
        github.merge("retrain", "model")
    fake.trouble(405, path="merge", message="Required status check is expected.", times=3)
    fake.trouble(409, path="merge", message="Head branch was modified. Review and try again.")

    assert github.merge("retrain", "model") == fake.refs["heads/main"]
    assert github.merge("retrain", "model") == fake.refs["heads/main"]  # a killed robot's second try
    assert len(fake.log(fake.refs["heads/main"])) == 2


def test_a_schedule_says_whether_it_runs(github, fake):
    """GitHub switches it off after sixty quiet days."""
    fake.workflows |= {"retrain.yml": "active", "watch.yml": "disabled_inactivity"}
    run = {"conclusion": "success", "updated_at": "2026-02-01T00:00:00Z"}
    fake.runs["watch.yml"] = [{"conclusion": "failure", "updated_at": "later"}, run]

    assert github.schedule("retrain.yml") == Schedule(True, "2026-01-01T00:00:00Z", ran=False)
    assert github.schedule("watch.yml") == Schedule(False, "2026-02-01T00:00:00Z")
    assert not github.schedule("gone.yml").enabled


def left(fake, name, files, **more):
    """An artifact that a run on main left, unless it is said otherwise."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    number = fake.next()
    fake.assets[number] = {"content": packed.getvalue(), "release": 0}
    run = {"head_branch": "main", "repository_id": 1, "head_repository_id": 1}
    found = {
        "id": number,
        "name": name,
        "expired": False,
        "created_at": f"2026-03-01T00:00:{number:02}Z",
        "size_in_bytes": len(packed.getvalue()),
        "workflow_run": run,
    }
    fake.artifacts.append(found | {"workflow_run": run | more.pop("run", {})} | more)
    return number


def test_the_file_of_the_newest_artifact_is_that_of_mains_own_runs(github, fake):
    """A fork's pull request can leave one of the same name; old ones are gone, though listed."""
    assert github.artifact("signals", "series.json") is None
    left(fake, "signals", {"series.json": "old"})
    left(fake, "signals", {"series.json": "ours", "other": "x"})
    left(fake, "signals", {"series.json": "a fork's"}, run={"head_repository_id": 2})
    left(fake, "signals", {"series.json": "a branch's"}, run={"head_branch": "feature"})
    left(fake, "signals", {"series.json": "gone"}, expired=True)
    left(fake, "signals", {"series.json": "nobody's"}, workflow_run=None)
    left(fake, "other", {"series.json": "another"})

    assert github.artifact("signals", "series.json") == b"ours"
    assert github.artifact("signals", "not there") is None


def test_an_artifact_that_cannot_be_ours_is_not_read(github, fake):
    """Too large, or no archive."""
    number = left(fake, "signals", {"series.json": "x"}, size_in_bytes=10**9)
    with pytest.raises(ForgeError, match="none of ours has"):
        github.artifact("signals", "series.json")
    fake.artifacts[0]["size_in_bytes"] = 9
    fake.assets[number]["content"] = b"torn"

    with pytest.raises(ForgeError, match="is no archive"):
        github.artifact("signals", "series.json")


def test_whether_anybody_may_read_it_is_known(github, fake):
    """Rows of data are not written where everybody looks."""
    assert github.public()
    fake.private = True

    assert not github.public()

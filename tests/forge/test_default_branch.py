"""GitHub is asked what the default branch is: nothing here knows its name."""

import io
import zipfile

import pytest

from contracts.live_config import LIVE, Live, parse_live
from forge.__main__ import OK, main
from forge.interface import ForgeError
from tests.forge.conftest import BUNDLES, on_github
from tests.forge.fake_github import FakeGitHub
from tests.forge.fake_server import serve

BUNDLE = min(BUNDLES.iterdir())
A = BUNDLE.name


@pytest.fixture(params=["trunk", "develop beside a main", "release/2026"])
def fake(request):
    """A GitHub whose default branch is another one; a main, if there is one, is nothing to us."""
    name, _, beside = request.param.partition(" beside a ")
    fake = FakeGitHub({LIVE: Live().to_toml()}, default=name)
    if beside:
        fake.refs[f"heads/{beside}"] = fake.refs[f"heads/{name}"]
    server = serve(fake)
    yield fake
    server.shutdown()
    server.server_close()


def test_a_model_goes_live_and_is_released_on_whatever_is_the_default_branch(fake):
    """From the upload to the release; a main beside it stays as it is."""
    forge = on_github(fake)
    old = dict(fake.refs)
    forge.upload(A, BUNDLE)
    digest = forge.manifest(A)["digest"]
    text = f'[champion]\nversion = "{A}"\ndigest = "{digest}"\n'
    proposal = forge.propose("retrain", "a model", "card", {LIVE: text})
    forge.status("retrain", True, "good")

    assert forge.proposal("retrain").files == (LIVE,)
    assert forge.merge("retrain", "a model") == fake.refs[f"heads/{fake.default}"]
    assert parse_live(forge.read(LIVE)).champion.version == A
    assert [change.message for change in forge.history(LIVE)] == ["a model", "Begin"]
    assert forge.proposals()[0].number == proposal.number
    assert main(["release", "--forge", "github:acme/toy"], opening=lambda _: forge) == OK
    assert forge.releases()[0].latest
    assert fake.refs[f"tags/{A}"] == old[f"heads/{fake.default}"]
    assert fake.refs.get("heads/main") == old.get("heads/main")


def test_what_the_default_branch_has_changed_is_looked_for_there(fake):
    """A proposal that is overtaken is not merged."""
    forge = on_github(fake)
    forge.propose("retrain", "a model", "", {"README.md": "ours"})
    forge.status("retrain", True, "good")
    fake.push({"README.md": "theirs"})

    with pytest.raises(ForgeError, match=f"{fake.default} has changed README.md since then"):
        forge.merge("retrain", "a model")


def test_a_proposal_is_no_push_to_the_default_branch(fake):
    """Whatever its name."""
    with pytest.raises(ForgeError, match=f"needs a branch other than {fake.default}"):
        on_github(fake).propose(fake.default, "a model", "", {LIVE: "\n"})


def test_artifacts_are_taken_from_the_default_branchs_runs(fake):
    """Anybody's pull request may leave one."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        packed.writestr("days.json", b"ours")
    ours = {"repository_id": 1, "head_repository_id": 1}
    for number, branch in ((1, fake.default), (2, "improve")):
        fake.assets[number] = {"id": number, "release": 0, "content": content.getvalue()}
        fake.artifacts.append(
            {
                "id": number,
                "name": "signals",
                "expired": False,
                "size_in_bytes": 9,
                "created_at": f"2026-03-0{number}T00:00:00Z",
                "workflow_run": ours | {"head_branch": branch},
            }
        )

    assert on_github(fake).artifact("signals", "days.json") == b"ours"
    fake.artifacts[:] = fake.artifacts[1:]
    assert on_github(fake).artifact("signals", "days.json") is None


def test_an_empty_repository_is_reported_with_its_branch(fake):
    """Before the first commit."""
    del fake.refs[f"heads/{fake.default}"]

    with pytest.raises(ForgeError, match=f"has no branch {fake.default} yet; push a first commit"):
        on_github(fake).propose("retrain", "a model", "", {LIVE: "\n"})

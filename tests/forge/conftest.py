"""The forge under test: every implementation goes through the same tests."""

import itertools
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.live_config import LIVE, Live
from forge.github.github_forge import GitHubForge
from forge.local.folder_forge import LocalForge
from tests.forge.fake_answers import session_with
from tests.forge.fake_github import IN_PROCESS, NAME, FakeGitHub
from tests.forge.fake_server import serve

BUNDLES = Path(__file__).parents[1] / "bundles/format-1/binary"


class Clock:
    """A second passes at every look."""

    def __init__(self):
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self):
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def fake():
    """A GitHub whose main has nothing live."""
    fake = FakeGitHub({LIVE: Live().to_toml()})
    server = serve(fake)
    yield fake
    server.shutdown()
    server.server_close()


@pytest.fixture
def github(fake):
    return on_github(fake)


def on_github(fake, token="secret"):
    """The forge on *fake*: over its server, or in this process if it has none."""
    session = session_with(fake) if fake.url == IN_PROCESS else None
    return GitHubForge(NAME, token, fake.url, Clock(), lambda seconds: None, session=session)


@pytest.fixture(params=["folder", "github"])
def forge(request, tmp_path):
    if request.param == "folder":
        return LocalForge(tmp_path / "forge", Clock())
    return request.getfixturevalue("github")


@pytest.fixture
def dana(forge, request):
    """The same forge in the hands of a person who may write to it."""
    return forge if isinstance(forge, LocalForge) else person(request.getfixturevalue("fake"))


def person(fake, name="dana", permission="write", association="COLLABORATOR"):
    """GitHub in the hands of somebody."""
    fake.tokens[name] = (None, {"login": name, "type": "User"}, association)
    fake.people[name] = permission
    return on_github(fake, name)


@pytest.fixture(params=["folder", "github"])
def worlds(request, tmp_path):
    """Makes new forges of one kind, each with a person who may write to it."""
    numbers = itertools.count()

    def make():
        if request.param == "folder":
            forge = LocalForge(tmp_path / f"forge-{next(numbers)}", Clock())
            return forge, forge
        fake = FakeGitHub({LIVE: Live().to_toml()})
        return on_github(fake), person(fake)

    return make


@pytest.fixture(scope="session")
def bundles():
    """Two bundles, the older first."""
    return sorted(BUNDLES.iterdir())


@pytest.fixture
def bundle(bundles, tmp_path):
    """A copy that a test may spoil."""
    return Path(shutil.copytree(bundles[0], tmp_path / "spoilt" / bundles[0].name))

"""A store with bundles of each task, and the application on it."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serve.app import create_app

FORMAT_1 = Path(__file__).parents[1] / "bundles/format-1"
NEVER_SENT = {"visitor", "at"}


class Clock:
    """Stands still until it is moved."""

    def __init__(self):
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self):
        return self.now

    def pass_by(self, **delta):
        self.now += timedelta(**delta)


class Seconds:
    """A clock that passes when it is moved."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Store:
    """The folder a scorer follows; `serve` names what is live in it."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()

    def put(self, bundle):
        place = self.folder / "bundles" / bundle.name
        if not place.exists():
            shutil.copytree(bundle, place)
        return place

    def serve(self, bundle, digest=None):
        self.put(bundle)
        manifest = json.loads((bundle / "manifest.json").read_text())
        self.write(f'[champion]\nversion = "{bundle.name}"\ndigest = "{digest or manifest["digest"]}"\n')
        return bundle.name

    def write(self, text):
        """Move a live.toml of *text* into place."""
        work = self.folder / ".live.toml-0"
        work.write_text(text)
        work.replace(self.folder / "live.toml")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def seconds():
    return Seconds()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "a store")


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "a journal"


@pytest.fixture(scope="session")
def bundles():
    """Two of the binary recipe, the older first."""
    return sorted((FORMAT_1 / "binary").iterdir())


@pytest.fixture(scope="session", params=["binary", "multiclass", "regression"])
def each_task(request):
    return min((FORMAT_1 / request.param).iterdir())


@pytest.fixture
def app(store, journal, clock, bundles):
    store.serve(bundles[0])
    return create_app(store.folder, journal, follow_every=None, clock=clock)


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture(scope="session")
def row():
    """A visit that fits the contract of every small recipe."""
    return {
        "visitor": "v1",
        "at": "2026-03-01T11:00:00Z",
        "country": "AT",
        "campaign": "search",
        "device": "phone",
        "returning": True,
        "age": 41.0,
        "pages": 3.0,
    }


def lines(folder, kind):
    """What the journal holds, in order."""
    return [
        json.loads(line) for path in sorted(folder.glob(f"{kind}-*.jsonl")) for line in path.read_text().splitlines()
    ]


@pytest.fixture
def kept(journal):
    return lambda kind: lines(journal, kind)

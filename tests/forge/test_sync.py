"""A scorer's store follows what is live, or stays as it was and says why."""

import shutil
import threading

import pytest

from forge.live import Live, Slot
from forge.local import LocalForge
from forge.sync import KEPT, sync
from serve.bundle import Bundle
from tests.forge.conftest import on_github

LIVE = "serve/live.toml"


def slot(bundle):
    loaded = Bundle.load(bundle)
    return Slot(loaded.version, loaded.digest)


def make_live(forge, **roles):
    forge.propose("move", "move", "", {LIVE: Live(**roles).to_toml()})
    forge.status("move", True, "good")
    forge.merge("move", "move")


@pytest.fixture
def local(tmp_path, bundles):
    forge = LocalForge(tmp_path / "forge")
    for bundle in bundles:
        forge.upload(bundle.name, bundle)
    return forge


@pytest.fixture
def stored(forge, bundles):
    """A forge of either kind that has both bundles."""
    for bundle in bundles:
        forge.upload(bundle.name, bundle)
    return forge


@pytest.fixture
def store(tmp_path):
    return tmp_path / "a store"


def test_nothing_live_makes_an_empty_store(stored, store):
    """Which says so to the scorer."""
    assert sync(stored, store).words == "live: nothing"
    assert [path.name for path in store.iterdir()] == ["live.toml"]


def test_what_is_live_is_brought_and_loads(stored, store, bundles):
    """The second look finds nothing new."""
    make_live(stored, champion=slot(bundles[0]))
    first, second = sync(stored, store), sync(stored, store)

    assert (first.changed, first.words) == (True, f"live: {bundles[0].name}")
    assert (second.changed, second.words) == (False, "nothing new")
    assert Bundle.load(store / "bundles" / bundles[0].name).version == bundles[0].name


def test_every_role_is_brought(stored, store, bundles):
    """A challenger answers too."""
    make_live(stored, champion=slot(bundles[0]), challenger=slot(bundles[1]))
    sync(stored, store)

    assert sorted(path.name for path in (store / "bundles").iterdir()) == [
        bundle.name for bundle in bundles
    ]


def test_a_damaged_copy_is_brought_anew(stored, store, bundles):
    """The bytes are looked at each time."""
    make_live(stored, champion=slot(bundles[0]))
    sync(stored, store)
    (store / "bundles" / bundles[0].name / "model.onnx").write_bytes(b"rot")
    sync(stored, store)

    assert Bundle.load(store / "bundles" / bundles[0].name)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda forge, bundle: shutil.rmtree(forge / "releases" / bundle), "there is no release"),
        (
            lambda forge, bundle: (forge / "releases" / bundle / "bundle/model.onnx").write_bytes(
                b""
            ),
            "model.onnx is damaged",
        ),
        (
            lambda forge, bundle: (forge / "releases" / bundle / "bundle/manifest.json").unlink(),
            "it cannot be read",
        ),
        (
            lambda forge, bundle: (forge / "releases" / bundle / "bundle/manifest.json").write_text(
                '{"digest": "sha256:0"}'
            ),
            "its manifest has the digest",
        ),
    ],
    ids=["gone", "cut", "no manifest", "edited"],
)
def test_what_cannot_be_verified_leaves_the_store_as_it_was(local, store, bundles, spoil, why):
    """live.toml is replaced last."""
    make_live(local, champion=slot(bundles[0]))
    sync(local, store)
    before = (store / "live.toml").read_text()
    make_live(local, champion=slot(bundles[1]))
    spoil(local.root, bundles[1].name)
    result = sync(local, store)

    assert result.failed
    assert "the store stays as it was" in result.words
    assert why in result.words
    assert (store / "live.toml").read_text() == before
    assert [path.name for path in (store / "bundles").iterdir()] == [bundles[0].name]


def test_a_live_file_that_is_broken_is_not_followed(stored, store, bundles):
    """Somebody edited it by hand and pushed."""
    make_live(stored, champion=slot(bundles[0]))
    sync(stored, store)
    stored.propose("edit", "edit", "", {LIVE: "[champion\n"})
    stored.status("edit", True, "good")
    stored.merge("edit", "edit")
    result = sync(stored, store)

    assert result.failed
    assert "live.toml is not TOML" in result.words
    assert bundles[0].name in (store / "live.toml").read_text()


def test_a_store_that_cannot_be_written_is_said(local, bundles, tmp_path):
    """A file is where the folder should be."""
    make_live(local, champion=slot(bundles[0]))
    (tmp_path / "file").write_text("")

    assert sync(local, tmp_path / "file").failed


def test_bundles_that_went_are_kept_for_a_rollback_but_not_for_ever(stored, store, bundles):
    """A scorer's disk is small."""
    make_live(stored, champion=slot(bundles[0]))
    for n in range(KEPT + 3):
        shutil.copytree(bundles[1], store / "bundles" / f"2025010{n}T0000-0000000")
    sync(stored, store)

    assert len(list((store / "bundles").iterdir())) == KEPT + 1


def test_two_that_sync_one_store_are_both_right(local, store, bundles):
    """A second copy started by mistake harms nothing."""
    make_live(local, champion=slot(bundles[0]), anchor=slot(bundles[1]))
    found = []
    threads = [threading.Thread(target=lambda: found.append(sync(local, store))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not sync(local, store).failed
    assert all(Bundle.load(store / "bundles" / bundle.name) for bundle in bundles)
    assert [p.name for p in (store / "bundles").iterdir() if p.name.startswith(".")] == []


@pytest.fixture
def served(github, fake, store, bundles):
    """A store that follows GitHub, with the older bundle; the newer one is live by now."""
    for bundle in bundles:
        github.upload(bundle.name, bundle)
    make_live(github, champion=slot(bundles[0]))
    sync(on_github(fake), store)
    make_live(github, champion=slot(bundles[1]))
    return store


def everything(store):
    return {p.relative_to(store): p.read_bytes() for p in store.rglob("*") if p.is_file()}


TROUBLE = {
    "gone": ({"what": "before", "times": 99}, "GitHub gave no answer"),
    "broken": ({"what": 503, "times": 99}, "GitHub gave no answer"),
    "limited": (
        {"what": 403, "times": 99, "headers": {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9999999999"}},
        "GitHub takes no more requests until",
    ),
    "hidden": ({"what": 404, "times": 99}, "GitHub knows no repository"),
    "an asset that is cut": ({"what": "cut", "path": "/store/", "times": 99}, "no answer"),
    "an asset that is gone": ({"what": 404, "path": "/store/", "times": 99}, "found nothing"),
}  # fmt: skip


@pytest.mark.parametrize("name", TROUBLE)
def test_whatever_github_does_the_store_stays_as_it_was(served, fake, name):
    """And follows as soon as it can."""
    trouble, words = TROUBLE[name]
    before = everything(served)
    fake.trouble(**trouble)
    result = sync(on_github(fake), served)

    assert result.failed
    assert words in result.words
    assert everything(served) == before
    fake.faults.clear()
    assert sync(on_github(fake), served).changed


@pytest.mark.parametrize("name", TROUBLE)
def test_a_cold_start_in_trouble_says_why_and_leaves_nothing_half(served, fake, tmp_path, name):
    """A scorer starts without a model, and gets it when GitHub is back."""
    trouble, words = TROUBLE[name]
    fake.trouble(**trouble)
    result = sync(on_github(fake), tmp_path / "cold")

    assert words in result.words
    assert everything(tmp_path / "cold") == {}
    fake.faults.clear()
    assert sync(on_github(fake), tmp_path / "cold").changed


@pytest.mark.parametrize("lie", [b"", b"another model", None])
def test_an_asset_that_is_not_what_live_names_is_not_served(served, fake, lie):
    """Truncated, exchanged, or with a manifest that was edited to match."""
    name = "model.onnx" if lie is not None else "manifest.json"
    for asset in fake.assets.values():
        if asset["name"] == name:
            content = asset["content"].replace(b'"task"', b'"tusk"') if lie is None else lie
            asset |= {"content": content, "size": len(content), "digest": None}
    before = everything(served)
    result = sync(on_github(fake), served)

    assert result.failed
    assert everything(served) == before


def test_following_costs_nothing_while_nothing_changes(served, fake):
    """GitHub answers 304, which does not count against the limit."""
    forge = on_github(fake)
    sync(forge, served)
    fake.calls.clear()

    assert not sync(forge, served).changed
    assert [call[2] for call in fake.calls] == [304]


def test_a_public_repository_is_followed_without_a_token(served, fake):
    """A scorer needs no secret."""
    assert sync(on_github(fake, token=""), served).changed

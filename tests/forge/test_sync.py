"""A scorer's store follows what is live, or stays as it was and says why."""

import shutil
import threading

import pytest

from forge.live import Live, Slot
from forge.local import LocalForge
from forge.sync import KEPT, sync
from serve.bundle import Bundle

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
def store(tmp_path):
    return tmp_path / "a store"


def test_nothing_live_makes_an_empty_store(local, store):
    """Which says so to the scorer."""
    assert sync(local, store).words == "live: nothing"
    assert [path.name for path in store.iterdir()] == ["live.toml"]


def test_what_is_live_is_brought_and_loads(local, store, bundles):
    """The second look finds nothing new."""
    make_live(local, champion=slot(bundles[0]))
    first, second = sync(local, store), sync(local, store)

    assert (first.changed, first.words) == (True, f"live: {bundles[0].name}")
    assert (second.changed, second.words) == (False, "nothing new")
    assert Bundle.load(store / "bundles" / bundles[0].name).version == bundles[0].name


def test_every_role_is_brought(local, store, bundles):
    """A challenger answers too."""
    make_live(local, champion=slot(bundles[0]), challenger=slot(bundles[1]))
    sync(local, store)

    assert sorted(path.name for path in (store / "bundles").iterdir()) == [
        bundle.name for bundle in bundles
    ]


def test_a_damaged_copy_is_brought_anew(local, store, bundles):
    """The bytes are looked at each time."""
    make_live(local, champion=slot(bundles[0]))
    sync(local, store)
    (store / "bundles" / bundles[0].name / "model.onnx").write_bytes(b"rot")
    sync(local, store)

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


def test_a_live_file_that_is_broken_is_not_followed(local, store, bundles):
    """Somebody edited it by hand and pushed."""
    make_live(local, champion=slot(bundles[0]))
    sync(local, store)
    local.propose("edit", "edit", "", {LIVE: "[champion\n"})
    local.status("edit", True, "good")
    local.merge("edit", "edit")
    result = sync(local, store)

    assert result.failed
    assert "live.toml is not TOML" in result.words
    assert bundles[0].name in (store / "live.toml").read_text()


def test_a_store_that_cannot_be_written_is_said(local, bundles, tmp_path):
    """A file is where the folder should be."""
    make_live(local, champion=slot(bundles[0]))
    (tmp_path / "file").write_text("")

    assert sync(local, tmp_path / "file").failed


def test_bundles_that_went_are_kept_for_a_rollback_but_not_for_ever(local, store, bundles):
    """A scorer's disk is small."""
    make_live(local, champion=slot(bundles[0]))
    for n in range(KEPT + 3):
        shutil.copytree(bundles[1], store / "bundles" / f"2025010{n}T0000-0000000")
    sync(local, store)

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

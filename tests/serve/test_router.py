"""What answers follows live.toml; what is bad is refused and the old model goes on."""

import os
import shutil
import threading

import pytest

from serve.router import LiveFileError, Router, Slot, read_live


@pytest.fixture
def router(store, clock):
    return Router(store.folder, clock)


def version(router):
    return router.live.bundle.version if router.live.bundle else None


def test_an_empty_store_answers_nothing_and_says_why(router):
    """The scorer may start before the first release."""
    router.refresh()

    assert router.live.bundle is None
    assert "there is no" in router.refused["why"]


def test_it_follows_what_is_live(router, store, bundles):
    """Forwards and back."""
    for bundle in (bundles[0], bundles[1], bundles[0]):
        store.serve(bundle)
        router.refresh()

        assert version(router) == bundle.name
        assert router.refused is None


def test_since_says_when_it_began_to_answer(router, store, bundles, clock):
    """And does not move while nothing changes."""
    store.serve(bundles[0])
    router.refresh()
    clock.pass_by(hours=1)
    router.refresh()

    assert router.live.since == "2026-03-01T12:00:00Z"
    store.serve(bundles[1])
    router.refresh()
    assert router.live.since == "2026-03-01T13:00:00Z"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda s, b: shutil.rmtree(s.folder / "bundles" / b.name), "is not a bundle"),
        (
            lambda s, b: (s.folder / "bundles" / b.name / "model.onnx").write_bytes(b"cut"),
            "is damaged",
        ),
        (lambda s, b: s.serve(b, "sha256:" + "0" * 64), "live.toml names"),
        (lambda s, b: (s.folder / "live.toml").write_text("[champion"), "cannot be read"),
        (lambda s, b: (s.folder / "live.toml").write_bytes(b"\xff"), "cannot be read"),
        (lambda s, b: (s.folder / "live.toml").unlink(), "there is no"),
        (
            lambda s, b: (s.folder / "live.toml").write_text("[champian]\n"),
            "[champian] is not a role; roles are champion, challenger, anchor",
        ),
        (
            lambda s, b: (s.folder / "live.toml").write_text('[champion]\nversion = "../../etc"\n'),
            "champion.digest is None; expected",
        ),
    ],
)
def test_what_is_bad_is_refused_and_the_old_model_goes_on(router, store, bundles, spoil, words):
    """Downtime is lost revenue."""
    store.serve(bundles[0])
    router.refresh()
    store.serve(bundles[1])
    spoil(store, bundles[1])
    router.refresh()

    assert version(router) == bundles[0].name
    assert words in router.refused["why"]
    store.serve(bundles[0])
    router.refresh()
    assert router.refused is None


def test_a_bundle_that_is_put_right_is_taken(router, store, bundles):
    """Without a change of live.toml."""
    store.serve(bundles[0])
    router.refresh()
    store.serve(bundles[1])
    place = store.folder / "bundles" / bundles[1].name
    good = (place / "model.onnx").read_bytes()
    (place / "model.onnx").write_bytes(good[:-1])
    router.refresh()
    assert version(router) == bundles[0].name

    (place / "model.onnx").write_bytes(good)
    router.refresh()
    assert version(router) == bundles[1].name


def test_a_live_file_without_a_champion_means_nothing_is_live(router, store, bundles):
    """Somebody reverted the first release."""
    store.serve(bundles[0])
    router.refresh()
    (store.folder / "live.toml").write_text("# nothing\n")
    router.refresh()

    assert router.live.bundle is None
    assert router.refused["why"] == "live.toml names no champion"


def test_nothing_is_loaded_again_while_nothing_changes(router, store, bundles):
    """A look costs three stats."""
    store.serve(bundles[0])
    router.refresh()
    first = router.live.bundle
    router.refresh()
    os.utime(store.folder / "live.toml")
    router.refresh()

    assert router.live.bundle is first


def test_looks_at_once_are_one_after_the_other(router, store, bundles):
    """A follower and a caller."""
    store.serve(bundles[0])
    threads = [threading.Thread(target=router.refresh) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert version(router) == bundles[0].name


def test_it_follows_by_itself(router, store, bundles):
    """From a thread of its own."""
    store.serve(bundles[0])
    router.follow(0.01)
    try:
        store.serve(bundles[1])
        for _ in range(1000):
            if version(router) == bundles[1].name:
                break
            threading.Event().wait(0.01)
    finally:
        router.stop()

    assert version(router) == bundles[1].name


def test_all_that_is_wrong_with_a_slot_is_said_at_once(tmp_path):
    """Version and digest."""
    (tmp_path / "live.toml").write_text('[champion]\nversion = 7\ndigest = "md5:1"\n')
    with pytest.raises(
        LiveFileError, match=r"champion\.version is 7.*; champion\.digest is 'md5:1'"
    ):
        read_live(tmp_path / "live.toml")

    (tmp_path / "live.toml").write_text("champion = 3\n")
    with pytest.raises(LiveFileError, match=r"expected a table \[champion\]"):
        read_live(tmp_path / "live.toml")


def test_what_the_forge_writes_is_read_here(tmp_path):
    """Two readers, one file."""
    from forge.live import Live
    from forge.live import Slot as Written

    digest = "sha256:" + "a" * 64
    text = Live(Written("v1", digest), Written("v2", digest, 0.1), Written("v0", digest)).to_toml()
    (tmp_path / "live.toml").write_text(text)

    assert read_live(tmp_path / "live.toml") == Slot("v1", digest)

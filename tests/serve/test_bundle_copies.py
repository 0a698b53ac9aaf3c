"""The files of what serves: a change is noticed and said, and a verified copy is there to start from."""

import json
import os
import resource
import shutil

import pytest

from bundles.bundle import Bundle
from contracts.bundle_content import content_digest
from serve.app import create_app
from serve.release.bundle_copies import RECHECK_SECONDS
from serve.release.follower import Follower

CORED = "20261124T1026-5e396d8"


@pytest.fixture(scope="session")
def cored(root):
    """A bundle with a core."""
    return root / "tests/bundles/with-core/binary" / CORED


@pytest.fixture
def copies(tmp_path):
    return tmp_path / "journal/.proven/bundles"


@pytest.fixture
def start(store, clock, seconds, copies):
    """A router as a process that starts has it, after its first look."""

    def start():
        found = Follower(store.folder, clock, passes=seconds, copies=copies)
        found.refresh()
        return found

    return start


@pytest.fixture
def place(store, cored):
    """The live bundle's folder in the store."""
    store.serve(cored)
    return store.folder / "bundles" / cored.name


def flip(path):
    """One bit more or less, in place, and the file is as old and as large as before."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def truncate(path):
    os.truncate(path, 9)


def by_a_pipe(path):
    path.unlink()
    os.mkfifo(path)


def by_a_folder(path):
    path.unlink()
    path.mkdir()


def by_a_link_to_another(folder, bundles):
    shutil.rmtree(folder)
    folder.symlink_to(bundles[0])


def by_a_file(folder):
    shutil.rmtree(folder)
    folder.write_text("no bundle")


def reworded(path):
    manifest = json.loads(path.read_text())
    manifest["metrics"] = {}
    path.write_text(json.dumps(manifest))


DAMAGE = {
    "the folder is deleted": lambda f, _: shutil.rmtree(f),
    "the folder is renamed": lambda f, _: f.rename(f.with_name("elsewhere")),
    "the folder is a link to another bundle": by_a_link_to_another,
    "the folder is a file": lambda f, _: by_a_file(f),
    "the model is deleted": lambda f, _: (f / "model.onnx").unlink(),
    "the model is truncated": lambda f, _: truncate(f / "model.onnx"),
    "the model is changed, its time kept": lambda f, _: flip(f / "model.onnx"),
    "the model is a pipe": lambda f, _: by_a_pipe(f / "model.onnx"),
    "the model is a folder": lambda f, _: by_a_folder(f / "model.onnx"),
    "the core is changed": lambda f, _: flip(f / "core.onnx"),
    "the core is deleted": lambda f, _: (f / "core.onnx").unlink(),
    "the manifest is deleted": lambda f, _: (f / "manifest.json").unlink(),
    "the manifest is changed": lambda f, _: reworded(f / "manifest.json"),
    "the manifest is empty": lambda f, _: truncate(f / "manifest.json"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_said_while_the_model_goes_on_and_a_restart_loads_the_copy(
    start, place, cored, bundles, name, capsys
):
    """Until the store has the files again: then nothing is refused."""
    follower = start()
    live = follower.live
    assert follower.refused is None

    DAMAGE[name](place, bundles)
    follower.refresh()
    assert follower.live is live
    assert follower.refused["what"] == cored.name
    assert "the model in memory goes on" in follower.refused["why"]
    assert "the scorer's own copy is loaded" in follower.refused["why"]
    assert f"refused {cored.name}" in capsys.readouterr().err

    again = start()
    assert again.live.champion.bundle.digest == live.champion.bundle.digest
    assert len(again.live.champion.bundle.score([{}] * 2)) == 2
    assert again.live.champion.bundle.core == ""
    assert again.refused["what"] == cored.name

    _remove(place)
    shutil.copytree(cored, place)
    for each in (follower, again):
        each.refresh()
        assert each.refused is None


def test_lost_permissions_are_noticed(start, place, cored):
    """A file that cannot be read by who runs this; the superuser reads it, and then it is sound."""
    follower = start()
    (place / "model.onnx").chmod(0)
    follower.refresh()

    assert bool(follower.refused) == (not os.access(place / "model.onnx", os.R_OK))
    (place / "model.onnx").chmod(0o644)
    follower.refresh()
    assert follower.refused is None


def test_a_copy_holds_what_scores_and_nothing_else(start, place, copies, cored, store, bundles):
    """No evidence; and of what is live only."""
    start()
    assert sorted(path.name for path in (copies / cored.name).rglob("*")) == [
        "core.onnx",
        "manifest.json",
        "model.onnx",
    ]

    store.serve(bundles[0])
    start()
    assert [path.name for path in copies.iterdir()] == [bundles[0].name]


def test_what_is_refused_is_not_copied(start, place, copies, cored, store, bundles):
    """A challenger that computes something else, signed and all."""
    folder = store.put(bundles[0])
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["golden"]["scores"][0] = 0.99
    manifest["digest"] = content_digest(manifest)
    version = manifest["version"] = manifest["version"][:14] + manifest["digest"][7:19]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    folder.rename(folder.with_name(version))
    live = (store.folder / "live.toml").read_text()
    store.write(f'{live}[challenger]\nversion = "{version}"\ndigest = "{manifest["digest"]}"\nshare = 0.5\n')
    follower = start()

    assert follower.refused["what"] == version
    assert [path.name for path in copies.iterdir()] == [cored.name]


@pytest.mark.parametrize("name", [name for name in DAMAGE if "renamed" not in name])
def test_a_copy_that_was_tampered_with_is_not_loaded(start, place, copies, cored, bundles, name):
    """Both reasons are said, and nothing serves."""
    start()
    DAMAGE[name](copies / cored.name, bundles)
    shutil.rmtree(place)
    again = start()

    assert again.live.champion is None
    assert str(place) in again.refused["why"]


@pytest.mark.parametrize("name", DAMAGE)
def test_a_copy_that_was_tampered_with_is_made_again_from_the_store(
    start, place, copies, cored, bundles, seconds, name
):
    """Within `RECHECK_SECONDS` seconds, though nothing changes in the store."""
    follower = start()
    DAMAGE[name](copies / cored.name, bundles)
    seconds.now += RECHECK_SECONDS
    follower.refresh()

    manifest = json.loads((cored / "manifest.json").read_text())
    assert Bundle.load(copies / cored.name, manifest["digest"]).core == ""
    assert (bundles[0] / "manifest.json").is_file()  # a link was removed, not what it led to
    assert not list(copies.glob(".*"))


def test_files_are_read_again_though_they_seem_unchanged(store, clock, seconds, place, copies):
    """A change through a memory map or below the file system shows in no time of theirs."""
    read = []

    def load(folder, digest):
        read.append(folder)
        return Bundle.load(folder, digest)

    follower = Follower(store.folder, clock, load, passes=seconds, copies=copies)
    follower.refresh()
    follower.refresh()
    assert not follower._stored.is_due()
    seconds.now += RECHECK_SECONDS
    assert follower._stored.is_due()
    assert not follower._stored.is_due()
    assert len(read) == 1  # what is in memory is not loaded again


def test_damage_of_files_and_copy_is_said_as_such(start, place, copies):
    """After a restart nothing would serve."""
    follower = start()
    shutil.rmtree(copies)
    shutil.rmtree(place)
    follower.refresh()

    assert "there is no copy to load" in follower.refused["why"]
    assert follower.live.champion


def test_a_full_disk_costs_the_copy_and_nothing_else(store, clock, copies, place, cored, capsys):
    """It is said once, no half of a copy is left, and the model serves."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        follower = Follower(store.folder, clock, passes=lambda: 0.0, copies=copies)
        follower.refresh()
        (place / "model.onnx").touch()
        follower.refresh()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert follower.live.champion.bundle.version == cored.name
    assert follower.refused is None
    assert list(copies.iterdir()) == []
    assert capsys.readouterr().err.count("no copy of what serves could be kept") == 1


def test_a_folder_that_cannot_be_written_costs_the_copy_and_nothing_else(store, clock, place, tmp_path, capsys):
    """A journal that is a file, say."""
    (tmp_path / "file").write_text("")
    follower = Follower(store.folder, clock, passes=lambda: 0.0, copies=tmp_path / "file/copies")
    follower.refresh()

    assert follower.live.champion
    assert "no copy of what serves could be kept" in capsys.readouterr().err


def test_a_copy_of_another_digest_than_live_toml_names_is_not_loaded(start, place, store, cored):
    """`live.toml` decides, whatever lies in the scorer's folder."""
    start()
    shutil.rmtree(place)
    store.write(f'[champion]\nversion = "{cored.name}"\ndigest = "sha256:{"0" * 64}"\n')

    assert start().live.champion is None


def test_what_is_bad_in_the_store_is_in_the_readiness(store, journal, clock, cored):
    """Of an application that started from its copy."""
    store.serve(cored)
    create_app(store.folder, journal, follow_every=None, clock=clock)
    shutil.rmtree(store.folder / "bundles")
    app = create_app(store.folder, journal, follow_every=None, clock=clock)
    ready = app.test_client().get("/ready")

    assert (ready.status_code, ready.json["version"]) == (200, cored.name)
    assert ready.json["refused"]["what"] == cored.name


def test_without_a_folder_for_copies_the_reason_is_the_stores(store, clock, place):
    """As `bench` and tests have it."""
    shutil.rmtree(place)
    follower = Follower(store.folder, clock, passes=lambda: 0.0)
    follower.refresh()

    assert "is not a bundle" in follower.refused["why"]
    assert "copy" not in follower.refused["why"]


def test_a_bundle_error_names_both_places(start, place, copies, cored):
    """The store's first."""
    start()
    (place / "model.onnx").unlink()
    flip(copies / cored.name / "model.onnx")
    why = start().refused["why"]

    assert why.index(str(place)) < why.index("the scorer's own copy") < why.index(str(copies))


def _remove(path):
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)

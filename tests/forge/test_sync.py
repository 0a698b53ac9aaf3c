"""A scorer's store follows what is live, or stays as it was and says why."""

import gc
import json
import os
import shutil
import subprocess
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bundles.bundle import Bundle
from contracts.live_config import Live, Slot, moves
from contracts.live_tables import Online
from forge.bundles.sync import KEPT_BUNDLES, MAX_PAUSE, STATUS, Sync, sync
from forge.interface import ForgeError
from forge.local.folder_forge import LocalForge
from online.follow_store import champion_of
from serve.release.live_slots import read_live
from tests.forge.conftest import on_github

pytestmark = pytest.mark.slow

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
    assert sync(stored, store).message == "live: nothing"
    assert sorted(path.name for path in store.iterdir()) == ["live.toml", "sync.json"]


def test_a_corrector_finds_the_champion_in_what_is_synced(local, store, bundles):
    """`serve learn` reads the store that `forge sync` fills."""
    make_live(local, champion=slot(bundles[0]))
    sync(local, store)
    found, bundle = champion_of(store), Bundle.load(bundles[0])

    assert (found.version, found.contract) == (bundle.version, bundle.contract)


def test_what_is_live_is_brought_and_loads(stored, store, bundles):
    """The second look finds nothing new."""
    make_live(stored, champion=slot(bundles[0]))
    first, second = sync(stored, store), sync(stored, store)

    assert (first.changed, first.message) == (True, f"live: {bundles[0].name}")
    assert (second.changed, second.message) == (False, "nothing new")
    assert Bundle.load(store / "bundles" / bundles[0].name).version == bundles[0].name


def test_every_role_is_brought(stored, store, bundles):
    """A challenger answers too."""
    make_live(stored, champion=slot(bundles[0]), challenger=slot(bundles[1]))
    sync(stored, store)

    assert sorted(path.name for path in (store / "bundles").iterdir()) == [bundle.name for bundle in bundles]


def test_a_damaged_copy_is_fetched_again(stored, store, bundles):
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
            lambda forge, bundle: (forge / "releases" / bundle / "bundle/model.onnx").write_bytes(b""),
            "model.onnx is damaged",
        ),
        (lambda forge, bundle: (forge / "releases" / bundle / "bundle/manifest.json").unlink(), "it cannot be read"),
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
    assert "the store stays as it was" in result.message
    assert why in result.message
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
    assert "live.toml is not TOML" in result.message
    assert bundles[0].name in (store / "live.toml").read_text()


def test_a_store_that_cannot_be_written_is_said(local, bundles, tmp_path):
    """A file is where the folder should be."""
    make_live(local, champion=slot(bundles[0]))
    (tmp_path / "file").write_text("")

    assert sync(local, tmp_path / "file").failed


def test_bundles_that_went_are_kept_for_a_rollback_but_not_for_ever(stored, store, bundles):
    """A scorer's disk is small."""
    make_live(stored, champion=slot(bundles[0]))
    for n in range(KEPT_BUNDLES + 3):
        shutil.copytree(bundles[1], store / "bundles" / f"2025010{n}T0000-0000000")
    sync(stored, store)

    assert len(list((store / "bundles").iterdir())) == KEPT_BUNDLES + 1


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
    """What the store holds, but for what sync says of its looks."""
    return {p.relative_to(store): p.read_bytes() for p in store.rglob("*") if p.is_file() and p.name != STATUS}


TROUBLE = {
    "gone": ({"what": "before", "times": 99}, "GitHub gave no answer"),
    "broken": ({"what": 503, "times": 99}, "GitHub gave no answer"),
    "limited": (
        {"what": 403, "times": 99, "headers": {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9999999999"}},
        "GitHub takes no more requests until",
    ),
    "hidden": ({"what": 404, "times": 99}, "GitHub knows no repository"),
    "an asset that is cut": ({"what": "cut", "path": "/store/", "times": 99}, "no answer"),
    "an asset that is gone": ({"what": 404, "path": "/store/", "times": 99}, "returned 404"),
}


@pytest.mark.parametrize("name", TROUBLE)
def test_whatever_github_does_the_store_stays_as_it_was(served, fake, name):
    """And follows as soon as it can."""
    trouble, words = TROUBLE[name]
    before = everything(served)
    fake.trouble(**trouble)
    result = sync(on_github(fake), served)

    assert result.failed
    assert words in result.message
    assert everything(served) == before
    fake.faults.clear()
    assert sync(on_github(fake), served).changed


@pytest.mark.parametrize("name", TROUBLE)
def test_a_cold_start_in_trouble_says_why_and_leaves_nothing_half(served, fake, tmp_path, name):
    """A scorer starts without a model, and gets it when GitHub is back."""
    trouble, words = TROUBLE[name]
    fake.trouble(**trouble)
    result = sync(on_github(fake), tmp_path / "cold")

    assert words in result.message
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


def push(forge, text):
    """What somebody merged past every check."""
    forge.propose("edit", "edit", "", {LIVE: text})
    forge.status("edit", True, "good")
    forge.merge("edit", "edit")


def report(store):
    return json.loads((store / STATUS).read_text())


WRONG = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (
            '[challenger]\nversion = "20260101T0000-0000000"\ndigest = "{wrong}"\nshare = 0.1\n',
            "the challenger 20260101T0000-0000000 cannot be fetched: there is no release",
        ),
        ('[challenger]\nversion = "{other}"\ndigest = "{wrong}"\nmode = "shadow"\n', "is not what live.toml names"),
        ('[anchor]\nversion = "{other}"\ndigest = "{wrong}"\n', "the anchor {other} cannot be fetched"),
        ('[anchor]\nversion = "../{other}"\ndigest = "{wrong}"\n', "anchor.version is"),
        ('[challenger]\nversion = "{other}"\ndigest = "sha256:12"\n', "challenger.digest is"),
        ('[challenger]\nversion = "{other}"\ndigest = "{right}"\nshare = 7\n', "challenger.share"),
        ('[challanger]\nversion = "{other}"\ndigest = "{right}"\n', "[challanger] is not a role"),
        (
            '[challenger]\nversion = "{other}"\ndigest = "{right}"\nshare = 0.1\n[split]\nsalt = "a b"\n',
            "split.salt is",
        ),
    ],
)
def test_the_champion_is_followed_whatever_is_wrong_beside_it(stored, store, bundles, more, why):
    """A rollback, say; what is wrong is said, and left out of the store."""
    old, new = (slot(bundle) for bundle in bundles)
    make_live(stored, champion=new)
    sync(stored, store)
    words = {"wrong": WRONG, "right": new.digest, "other": new.version}
    push(stored, Live(old).to_toml() + "\n" + more.format(**words))
    result = sync(stored, store)

    assert (result.changed, result.failed, result.follows) == (True, True, True)
    assert f"live: {old.version}, except: " in result.message
    assert why.format(**words) in result.message
    assert read_live(store / "live.toml") == (Live(Slot(old.version, old.digest)), True)
    assert report(store)["problem"] == result.message
    assert (sync(stored, store).changed, sync(stored, store).message) == (False, result.message)


@pytest.mark.parametrize(
    "spoil",
    [
        shutil.rmtree,
        lambda place: (place / "bundle/model.onnx").write_bytes(b""),
        lambda place: (place / "bundle/manifest.json").write_text("[" * 99_999),
        lambda place: (place / "bundle/manifest.json").unlink(),
    ],
)
def test_a_slot_beside_the_champion_joins_when_it_can_be_had(local, store, bundles, spoil, tmp_path):
    """A new store begins without it."""
    old, new = (slot(bundle) for bundle in bundles)
    make_live(local, champion=new, anchor=replace(old, share=0.1))
    place = local.root / "releases" / old.version
    shutil.copytree(place, tmp_path / "kept")
    spoil(place)

    assert sync(local, store).message.startswith(f"live: {new.version}, except")
    assert [path.name for path in (store / "bundles").iterdir()] == [new.version]
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(tmp_path / "kept", place)
    assert sync(local, store).message == f"live: {new.version}"
    assert read_live(store / "live.toml")[0].anchor.version == old.version


class Scripted:
    """A forge whose downloads of *bad* fail in the way of *error*; it counts them."""

    def __init__(self, forge, bad, error):
        self.forge, self.bad, self.error, self.asked = forge, bad, error, 0

    def read(self, path):
        return self.forge.read(path)

    def prove(self, version, folder):
        self.forge.prove(version, folder)

    def download(self, version, folder):
        if version == self.bad:
            self.asked += 1
            folder.mkdir(parents=True)
            (folder / "model.onnx").write_bytes(b"the first part")
            raise self.error
        self.forge.download(version, folder)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ForgeError("GitHub gave no answer")])
def test_what_cannot_be_had_is_asked_for_less_and_less_often(local, store, bundles, error):
    """The champion is looked for as often as ever."""
    old, new = (slot(bundle) for bundle in bundles)
    make_live(local, champion=old, challenger=replace(new, share=0.1))
    passed = iter(range(0, 10_000_000, 10))
    forge = Scripted(local, new.version, error)
    following = Sync(forge, store, 10.0, clock=lambda: next(passed) / 2)
    results = [following.look() for _ in range(200)]

    assert all(result.failed and result.follows for result in results)
    assert len({result.message for result in results}) == 1
    assert str(error) in results[-1].message
    assert 3 <= forge.asked <= 5 + 200 * 10 / MAX_PAUSE
    assert [path.name for path in (store / "bundles").iterdir()] == [old.version]


SAYS_NOTHING = [None, "", "# What is live.\n", "[anchor]\n", "champion = 1\n", "\ufeff", "\0"]


@pytest.mark.parametrize("text", SAYS_NOTHING)
def test_nothing_is_live_only_where_the_forge_says_so(local, store, bundles, text):
    """Not by a file that is gone, empty or cut off."""
    make_live(local, champion=slot(bundles[0]))
    sync(local, store)
    before = everything(store)
    result = sync(Saying(text), store)

    assert (result.failed, result.follows) == (True, False)
    assert "the store stays as it was" in result.message
    assert everything(store) == before
    assert sync(Saying('champion = "none"\n'), store).message == "live: nothing"
    assert read_live(store / "live.toml")[0].nothing
    assert not sync(Saying("# The template's\n"), store).failed


class Saying:
    """A forge of one file."""

    def __init__(self, text):
        self.text = text

    def read(self, path):
        return self.text


def test_a_live_file_that_is_gone_on_github_drops_nothing(served, fake):
    """GitHub answers 404 to one look, and shows the repository."""
    before = everything(served)
    fake.trouble(what=404, path=f"/contents/{LIVE}", times=1)
    result = sync(on_github(fake), served)

    assert result.failed
    assert "there is no serve/live.toml" in result.message
    assert everything(served) == before
    assert sync(on_github(fake), served).changed


@pytest.mark.parametrize("text", ["a = " + "[" * 30_000, "champion = 0x" + "f" * 9_000, "#" * 2**17])
def test_a_text_that_no_reader_takes_does_not_end_the_following(local, store, bundles, text):
    """It is refused in words."""
    make_live(local, champion=slot(bundles[0]))
    sync(local, store)
    gc.collect()  # else what earlier tests left may be finalised at the depth of the nested text, which fails

    assert "live.toml is not" in sync(Saying(text), store).message


@pytest.mark.parametrize("name", ["live.toml", "sync.json", "bundles/{}/manifest.json"])
@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        lambda path: path.symlink_to(path.name),
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.write_bytes(b"\xff" * 2**17),
    ],
    ids=["FIFO", "loop", "device", "bytes"],
)
def test_whatever_lies_in_the_store_is_put_right(local, store, bundles, name, make):
    """The open of a FIFO would wait for ever."""
    make_live(local, champion=slot(bundles[0]))
    sync(local, store)
    path = store / name.format(bundles[0].name)
    path.unlink()
    make(path)

    assert not sync(local, store).failed
    assert Bundle.load(store / "bundles" / bundles[0].name)
    assert read_live(store / "live.toml")[0].champion.version == bundles[0].name
    assert report(store)["problem"] == ""


def test_a_live_file_of_bytes_on_main_is_refused_and_does_not_break_the_history(local, store, bundles):
    """Somebody committed UTF-16 with git, and somebody took the file away."""
    make_live(local, champion=slot(bundles[0]))
    sync(local, store)
    repository = local.root / "repo"
    (repository / LIVE).write_bytes("[champion]\n".encode("utf-16"))
    git(repository, "commit", "-qam", "as Windows writes it")
    assert "live.toml is not TOML" in sync(local, store).message
    git(repository, "rm", "-q", LIVE)
    git(repository, "commit", "-qm", "gone")
    assert "there is no serve/live.toml" in sync(local, store).message
    assert [slot and slot.version for _, slot in moves(local.history(LIVE))] == [None, bundles[0].name]


def git(folder, *words):
    subprocess.run(["git", *words], cwd=folder, check=True)


def test_each_look_leaves_word_of_when_store_and_forge_agreed_last(local, store, bundles):
    """For the scorer, which cannot ask the forge."""
    make_live(local, champion=slot(bundles[0]))
    hours = iter(range(1, 9))
    following = Sync(local, store, 15.0, now=lambda: datetime(2026, 3, 1, next(hours), tzinfo=UTC))

    following.look()
    assert report(store) == {
        "format": 1,
        "at": "2026-03-01T01:00:00Z",
        "agreed": "2026-03-01T01:00:00Z",
        "every": 15.0,
        "problem": "",
    }
    push(local, "[champion")
    following.look()
    assert report(store)["at"] == "2026-03-01T02:00:00Z"
    assert report(store)["agreed"] == "2026-03-01T01:00:00Z"
    assert "live.toml is not TOML" in report(store)["problem"]
    make_live(local, champion=slot(bundles[1]))
    following.look()
    assert report(store)["agreed"] == "2026-03-01T03:00:00Z"


def test_a_new_store_says_why_it_is_empty(tmp_path):
    """The scorer beside it starts without a model."""
    result = sync(Saying(None), tmp_path / "new")

    assert result.failed
    assert (report(tmp_path / "new")["agreed"], everything(tmp_path / "new")) == (None, {})


def test_a_new_champion_begins_without_a_correction(local, store, bundles):
    """Also one that was champion before: its correction is from then."""
    first, second = slot(bundles[0]), slot(bundles[1])
    make_live(local, champion=first)
    sync(local, store)
    (store / "online").mkdir()
    files = {each.version: store / "online" / f"{each.version}.json" for each in (first, second)}
    for path in files.values():
        path.write_text("{}")

    make_live(local, champion=first, online=Online("on"))
    sync(local, store)
    assert all(path.exists() for path in files.values())
    assert read_live(store / "live.toml")[0].online == Online("on")

    make_live(local, champion=second)
    sync(local, store)
    assert [path.exists() for path in files.values()] == [True, False]
    make_live(local, champion=first)
    sync(local, store)
    assert [path.exists() for path in files.values()] == [False, False]


def test_a_wrong_table_of_online_corrections_is_off_in_the_store(local, store, bundles):
    """And the sync has failed, with the mistake; a rollback is not delayed by it."""
    make_live(local, champion=slot(bundles[0]))
    push(local, local.read(LIVE) + '\n[online]\nmode = "yes"\n')
    result = sync(local, store)

    assert result.failed
    assert "online.mode is 'yes'" in result.message
    assert read_live(store / "live.toml")[0] == Live(slot(bundles[0]), online=Online("off"))

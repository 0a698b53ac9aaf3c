"""Whatever lies in the store, the model in memory goes on, and the scorer says what it does not follow."""

import errno
import io
import json
import math
import os
import socket
from contextlib import redirect_stderr
from datetime import UTC, datetime, timedelta

import pytest

from bundles.manifest import BundleError, read_manifest, verify
from contracts.live_config import BEGINS, ENDS
from serve.app import create_app
from serve.release.follower import SETTLED_SECONDS, Follower
from serve.release.sync_status import agreement
from serve.release.validation_cache import ValidationCache

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def follower(store, clock, seconds, bundles):
    """A router whose store has both bundles; the older is live."""
    store.put(bundles[1])
    store.serve(bundles[0])
    found = Follower(store.folder, clock, passes=seconds)
    found.refresh()
    return found


def text(champion, *roles, more=""):
    """A live.toml: the champion's bundle, then (role, bundle, keys)."""
    slots = [("champion", champion, ""), *roles]
    return more + "".join(
        f'[{role}]\nversion = "{bundle.name}"\ndigest = "{digest(bundle)}"\n{keys}\n' for role, bundle, keys in slots
    )


def digest(bundle):
    return json.loads((bundle / "manifest.json").read_text())["digest"]


def arms(follower):
    return {arm.name: (arm.bundle.version, arm.share) for arm in follower.live.all()}


def fifo(path):
    os.mkfifo(path)


def folder(path):
    path.mkdir()


def listening(path):
    """A socket in the file system, under a short name."""
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)


def loop(path):
    path.symlink_to(path.name)


def dangling(path):
    path.symlink_to("nowhere")


def device(path):
    path.symlink_to("/dev/zero")


def large(path):
    with path.open("wb") as file:
        file.truncate(50 * 2**20)


def closed(path):
    path.write_text("")
    path.chmod(0)


KINDS = {
    "a FIFO": (fifo, "not a regular file"),
    "a folder": (folder, "not a regular file"),
    "a socket": (listening, "cannot be read"),
    "a link to itself": (loop, "symbolic links"),
    "a link to nothing": (dangling, "there is no"),
    "a device": (device, "not a regular file"),
    "50 MB": (large, "larger than 65,536 bytes"),
    "bytes": (lambda path: path.write_bytes(bytes(range(256))), "cannot be read"),
    "UTF-16": (lambda path: path.write_bytes("[champion]\n".encode("utf-16")), "cannot be read"),
    "a byte order mark": (lambda path: path.write_text("\ufeff[champion]\n"), "cannot be read"),
    "deep": (lambda path: path.write_text("a = " + "[" * 30_000), "cannot be read"),
    "a long number": (lambda path: path.write_text("champion = 0x" + "f" * 9_000), "cannot be read"),
    "empty": (lambda path: path.write_text(""), "names no champion"),
    "a comment": (lambda path: path.write_text("# What is live.\n"), "names no champion"),
    "other roles": (lambda path: path.write_text("[anchor]\n"), "anchor.version is None"),
    "half a word": (lambda path: path.write_text('champion = "non"\n'), "champion is 'non'"),
}


@pytest.fixture
def here(monkeypatch, tmp_path):
    """The working folder is put back."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_lies_in_place_of_live_toml_is_refused_and_the_model_goes_on(
    follower, store, bundles, kind, here, seconds
):
    """With a reason, and the next good one is followed."""
    make, words = KINDS[kind]
    path = store.folder / "live.toml"
    path.unlink()
    make(path)
    follower.refresh()

    assert arms(follower) == {"champion": (bundles[0].name, 1)}
    assert words in follower.refused["why"]
    if path.is_dir():
        path.rmdir()
    store.serve(bundles[1])
    follower.refresh()
    seconds.now += SETTLED_SECONDS  # the file may have the number in the file system that was just given up
    follower.refresh()
    assert arms(follower) == {"champion": (bundles[1].name, 1)}
    assert follower.refused is None


def test_a_live_file_that_may_not_be_read_is_refused(follower, store, bundles):
    """Where the system holds us to it: root may read everything."""
    closed(store.folder / "live.toml")
    follower.refresh()

    assert arms(follower) == {"champion": (bundles[0].name, 1)}
    assert follower.refused


def test_what_goes_on_without_a_champion_is_named_with_the_word_that_ends_it(follower, store, bundles, journal, clock):
    """In /ready as in the log; with the word it is gone."""
    app = create_app(store.folder, journal, follow_every=None, clock=clock)
    (store.folder / "live.toml").write_text("")
    app.extensions["tidegate"].follower.refresh()

    ready = app.test_client().get("/ready")
    assert ready.status_code == 200
    assert ready.json["version"] == bundles[0].name
    assert ready.json["refused"]["why"] == (
        f'live.toml names no champion: {bundles[0].name} goes on; to serve nothing, it must say: champion = "none"'
    )
    store.write('champion = "none"\n')
    app.extensions["tidegate"].follower.refresh()
    ready = app.test_client().get("/ready")
    assert (ready.status_code, ready.json["why"]) == (503, 'live.toml says: champion = "none"')


@pytest.mark.parametrize("kind", ["a FIFO", "a folder", "a socket", "a link to itself", "a device"])
@pytest.mark.parametrize("name", ["manifest.json", "model.onnx"])
def test_whatever_lies_in_a_bundle_is_refused_and_the_model_goes_on(follower, store, bundles, kind, name, here):
    """The open of a FIFO would wait for ever."""
    make, _ = KINDS[kind]
    path = store.folder / "bundles" / bundles[1].name / name
    path.unlink()
    make(path)
    store.serve(bundles[1])
    follower.refresh()

    assert arms(follower) == {"champion": (bundles[0].name, 1)}
    assert follower.refused["what"] == bundles[1].name
    with pytest.raises(BundleError):
        verify(path.parent, read_manifest(path.parent))


@pytest.mark.parametrize("proof", ["[]", "7", '{"seal": 1}', "[" * 100_000, "null", None])
def test_a_proof_that_is_none_is_not_believed(tmp_path, bundles, proof):
    """The bundle is loaded as if there were none."""
    path = tmp_path / "proofs" / f"{bundles[0].name}.json"
    path.parent.mkdir()
    path.write_text(proof) if proof else fifo(path)

    assert ValidationCache(path.parent).load(bundles[0]).version == bundles[0].name


def test_a_copy_in_place_is_followed_when_it_has_come_to_rest(follower, store, bundles, seconds):
    """Each beginning of it lies there for a while; what parses is not what was meant."""
    old, new = bundles
    path = store.folder / "live.toml"
    store.write(text(old, ("challenger", new, "share = 0.5")))
    follower.refresh()
    whole = text(new, ("challenger", old, "share = 0.15"), ("anchor", old, "share = 0.05"))
    before = follower.live
    for end in range(0, len(whole), 7):
        path.write_text(whole[:end])
        seconds.now += SETTLED_SECONDS / 2
        follower.refresh()
        assert follower.live is before
    path.write_text(whole)
    follower.refresh()
    assert follower.live is before
    seconds.now += SETTLED_SECONDS
    follower.refresh()
    assert arms(follower) == {"champion": (new.name, 0.8), "challenger": (old.name, 0.15), "anchor": (old.name, 0.05)}


def test_what_forge_sync_wrote_is_followed_at_once_and_never_in_part(follower, store, bundles, seconds):
    """However long a copy of it stays half done."""
    old, new = bundles
    path = store.folder / "live.toml"
    whole = f"{BEGINS}\n{text(new, ('challenger', old, 'share = 0.15'))}{ENDS}\n"
    before = follower.live
    for end in range(len(BEGINS), len(whole), 7):
        path.write_text(whole[:end])
        follower.refresh()
        seconds.now += 10 * SETTLED_SECONDS
        follower.refresh()
        assert follower.live is before
        assert follower.refused
    path.write_text(whole)
    follower.refresh()
    assert arms(follower) == {"champion": (new.name, 0.85), "challenger": (old.name, 0.15)}
    assert follower.refused is None


class Full(io.StringIO):
    """A log on a full disk."""

    def write(self, _):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_that_cannot_be_written_does_not_end_the_following(follower, store, bundles):
    """An error would end the thread that follows."""
    with redirect_stderr(Full()):
        store.write("[champian]\n")
        follower.refresh()
        assert "champian" in follower.refused["why"]
        store.serve(bundles[1])
        follower.refresh()
    assert arms(follower) == {"champion": (bundles[1].name, 1)}
    assert follower.refused is None


def test_an_arm_that_is_named_no_more_goes_though_another_is_bad(follower, store, bundles):
    """The end of an experiment does not wait for an anchor's digest."""
    old, new = bundles
    store.write(text(old, ("challenger", new, "share = 0.5"), ("anchor", new, "share = 0.1")))
    follower.refresh()
    store.write(text(old, ("anchor", new, "share = 0.2")).replace(digest(new), "sha256:" + "0" * 64))
    follower.refresh()

    assert arms(follower) == {"champion": (old.name, 0.9), "anchor": (new.name, 0.1)}
    assert follower.refused["what"] == new.name


def test_an_arm_that_stays_for_a_bad_one_fits_beside_the_others(follower, store, bundles):
    """Shares never sum to more than one."""
    old, new = bundles
    store.write(text(old, ("challenger", new, "share = 0.5")))
    follower.refresh()
    bad = text(old, ("challenger", new, "share = 0.1")).replace(digest(new), "sha256:" + "0" * 64)
    store.write(bad + text(old).replace("champion", "anchor") + "share = 0.7\n")
    follower.refresh()

    assert arms(follower) == {"champion": (old.name, 0.3), "anchor": (old.name, 0.7)}


def moment(seconds):
    return (NOW - timedelta(seconds=seconds)).isoformat()


def status(**more):
    said = {"format": 1, "at": moment(10), "agreed": moment(10), "every": 15, "problem": ""}
    return json.dumps(said | more)


REFUSED = {"what": "v2", "why": "it is damaged"}


@pytest.mark.parametrize(
    ("content", "refused", "agrees", "age", "words"),
    [
        (status(), None, True, 10, ""),
        (status(at=moment(-90), agreed=moment(-90)), None, True, 0, ""),
        (status(every=None, at=moment(9e5), agreed=moment(9e5)), None, True, 9e5, ""),
        (status(at=moment(61), agreed=moment(61)), None, False, 61, "should every 15: does it run?"),
        (status(at=moment(61), agreed=moment(61), every=60), None, True, 61, ""),
        (status(problem="no answer", agreed=moment(500)), None, False, 500, "forge sync: no answer"),
        (status(problem="no answer", agreed=None), None, False, math.inf, "no answer"),
        (status(), REFUSED, False, 300, "v2 is refused: it is damaged"),
        (status(agreed=moment(500)), REFUSED, False, 500, "v2 is refused"),
        ("[]", None, False, math.inf, "cannot be read"),
        ("", None, False, math.inf, "cannot be read"),
        ('{"at": 7}', None, False, math.inf, "cannot be read"),
        ("[" * 60_000, None, False, math.inf, "cannot be read"),
        (None, REFUSED, None, None, None),
    ],
)
def test_whether_the_scorer_agrees_with_the_forge(tmp_path, content, refused, agrees, age, words):
    """By what sync says of its last look, and what the scorer took of it."""
    if content is not None:
        (tmp_path / "sync.json").write_text(content)
    found = agreement(tmp_path, refused, NOW - timedelta(seconds=300) if refused else None, NOW)

    if agrees is None:
        assert found is None
    else:
        assert (found.agrees, found.seconds) == (agrees, age)
        assert words in found.why


def test_ready_and_metrics_say_that_the_forge_cannot_be_followed(store, journal, clock, bundles):
    """The scorer answers, so it is ready; what it answers with is not what the forge names."""
    store.serve(bundles[0])
    said = {"at": "2026-03-01T11:59:55Z", "agreed": "2026-03-01T11:00:00Z", "every": 5}
    path = store.folder / "sync.json"
    path.write_text(json.dumps(said | {"problem": "GitHub gave no answer"}))
    client = create_app(store.folder, journal, follow_every=None, clock=clock).test_client()

    ready = client.get("/ready")
    assert ready.status_code == 200
    assert ready.json["refused"] == {"what": "live.toml", "why": "forge sync: GitHub gave no answer"}
    assert ready.json["forge"] == {"agrees": False, "seconds": 3600.0, "why": "forge sync: GitHub gave no answer"}
    found = client.get("/metrics").text
    assert "\ntidegate_forge_agreement_age_seconds 3600.0\n" in found
    assert "\ntidegate_forge_agrees 0.0\n" in found
    assert "\ntidegate_release_refused 1.0\n" in found

    path.write_text(json.dumps(said | {"problem": "", "agreed": said["at"]}))
    assert client.get("/ready").json["refused"] is None
    assert "\ntidegate_forge_agreement_age_seconds 5.0\n" in client.get("/metrics").text
    path.unlink()
    assert client.get("/ready").json["forge"] is None
    assert "tidegate_forge" not in client.get("/metrics").text

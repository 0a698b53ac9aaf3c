"""What answers follows live.toml; what is bad is refused and the old model goes on."""

import gc
import itertools
import json
import os
import shutil
import threading
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.live_config import Live, LiveError, Slot, parse_live
from serve.release.follower import Follower
from serve.release.live_slots import LiveFileError, loaded_slots, read_live

DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def follower(store, clock):
    """Whose looks are so far apart that whatever was written in place has come to rest."""
    return Follower(store.folder, clock, passes=itertools.count(step=10).__next__)


@pytest.fixture
def regression(bundles):
    """A bundle of another task."""
    return min((bundles[0].parents[1] / "regression").iterdir())


def version(follower):
    return follower.live.bundle.version if follower.live.bundle else None


def test_an_empty_store_answers_nothing_and_says_why(follower):
    """The scorer may start before the first release."""
    follower.refresh()

    assert follower.live.bundle is None
    assert "there is no" in follower.refused["why"]


def test_it_follows_what_is_live(follower, store, bundles):
    """Forwards and back."""
    for bundle in (bundles[0], bundles[1], bundles[0]):
        store.serve(bundle)
        follower.refresh()

        assert version(follower) == bundle.name
        assert follower.refused is None


def test_since_says_when_it_began_to_answer(follower, store, bundles, clock):
    """And does not move while nothing changes."""
    store.serve(bundles[0])
    follower.refresh()
    clock.pass_by(hours=1)
    follower.refresh()

    assert follower.live.since == "2026-03-01T12:00:00Z"
    store.serve(bundles[1])
    follower.refresh()
    assert follower.live.since == "2026-03-01T13:00:00Z"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda s, b: shutil.rmtree(s.folder / "bundles" / b.name), "is not a bundle"),
        (lambda s, b: (s.folder / "bundles" / b.name / "model.onnx").write_bytes(b"cut"), "is damaged"),
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
def test_what_is_bad_is_refused_and_the_old_model_goes_on(follower, store, bundles, spoil, words):
    """Downtime is lost revenue."""
    store.serve(bundles[0])
    follower.refresh()
    store.serve(bundles[1])
    spoil(store, bundles[1])
    follower.refresh()

    assert version(follower) == bundles[0].name
    assert words in follower.refused["why"]
    store.serve(bundles[0])
    follower.refresh()
    assert follower.refused is None


def test_a_bundle_that_is_put_right_is_taken(follower, store, bundles):
    """Without a change of live.toml."""
    store.serve(bundles[0])
    follower.refresh()
    store.serve(bundles[1])
    place = store.folder / "bundles" / bundles[1].name
    good = (place / "model.onnx").read_bytes()
    (place / "model.onnx").write_bytes(good[:-1])
    follower.refresh()
    assert version(follower) == bundles[0].name

    (place / "model.onnx").write_bytes(good)
    follower.refresh()
    assert version(follower) == bundles[1].name


def test_nothing_is_live_once_the_live_file_says_so(follower, store, bundles):
    """In its own word, not by saying nothing."""
    store.serve(bundles[0])
    follower.refresh()
    name(store, 'champion = "none"\n')
    follower.refresh()

    assert follower.live.bundle is None
    assert follower.refused is None


def test_nothing_is_loaded_again_while_nothing_changes(follower, store, bundles):
    """A look costs three stats."""
    store.serve(bundles[0])
    follower.refresh()
    first = follower.live.bundle
    follower.refresh()
    os.utime(store.folder / "live.toml")
    follower.refresh()

    assert follower.live.bundle is first


def test_looks_at_once_are_one_after_the_other(follower, store, bundles):
    """A follower and a caller."""
    store.serve(bundles[0])
    threads = [threading.Thread(target=follower.refresh) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert version(follower) == bundles[0].name


def test_it_follows_by_itself(follower, store, bundles):
    """From its own thread."""
    store.serve(bundles[0])
    follower.follow(0.01)
    try:
        store.serve(bundles[1])
        for _ in range(1000):
            if version(follower) == bundles[1].name:
                break
            threading.Event().wait(0.01)
    finally:
        follower.stop()

    assert version(follower) == bundles[1].name


def test_all_that_is_wrong_with_a_slot_is_said_at_once(tmp_path):
    """Version and digest."""
    (tmp_path / "live.toml").write_text('[champion]\nversion = 7\ndigest = "md5:1"\n')
    with pytest.raises(LiveFileError, match=r"champion\.version is 7.*; champion\.digest is 'md5:1'"):
        read_live(tmp_path / "live.toml")

    (tmp_path / "live.toml").write_text("champion = 3\n")
    with pytest.raises(LiveFileError, match=r"expected a table \[champion\]"):
        read_live(tmp_path / "live.toml")


@pytest.mark.parametrize(
    ("live", "loaded"),
    [
        (Live(Slot("v1", DIGEST)), ["champion"]),
        (Live(Slot("v1", DIGEST), Slot("v2", DIGEST, 0.1)), ["champion", "challenger"]),
        (Live(Slot("v1", DIGEST), Slot("v2", DIGEST, mode="shadow")), ["champion", "challenger"]),
        (Live(Slot("v1", DIGEST), Slot("v2", DIGEST, 0), Slot("v0", DIGEST), "s-1"), ["champion"]),
        (Live(Slot("v1", DIGEST), anchor=Slot("v0", DIGEST, 0.05)), ["champion", "anchor"]),
        (Live(nothing=True), []),
    ],
)
def test_what_the_forge_writes_is_read_here(tmp_path, live, loaded):
    """Of the bundles that it names, those that get rows are loaded."""
    (tmp_path / "live.toml").write_text(live.to_toml())

    assert read_live(tmp_path / "live.toml") == (live, False)
    assert [*loaded_slots(live)] == loaded


SLOT = st.fixed_dictionaries(
    {},
    optional={
        "version": st.sampled_from(["v1", "../x", 3]),
        "digest": st.sampled_from([DIGEST, "md5:1"]),
        "share": st.sampled_from([0, 0.3, 0.8, 1, 2, -1, "half", True]) | st.floats(),
        "mode": st.sampled_from(["shadow", "canary", 1]),
        "weight": st.just(1),
    },
)
TABLES = st.fixed_dictionaries(
    {"champion": st.just({"version": "v1", "digest": DIGEST}) | st.sampled_from(["none", "v1"])},
    optional={
        "challenger": st.just({"version": "v2", "digest": DIGEST, "share": 0.5}) | SLOT,
        "anchor": st.just({"version": "v0", "digest": DIGEST, "share": 0.5}) | SLOT,
        "split": st.dictionaries(st.sampled_from(["salt", "solt"]), st.sampled_from(["s-1", "", "a b", 3, "x" * 65])),
        "champian": SLOT,
    },
)


def toml(tables):
    """TOML of plain tables, and of a champion that is a word."""
    word = tables.get("champion")
    first = f"champion = {json.dumps(word)}\n" if isinstance(word, str) else ""
    return first + "".join(
        f"[{name}]\n" + "".join(f"{key} = {value_of(value)}\n" for key, value in table.items())
        for name, table in tables.items()
        if not isinstance(table, str)
    )


def value_of(value):
    return repr(value) if isinstance(value, float) else json.dumps(value)


@given(TABLES)
def test_every_problem_is_refused_in_the_words_of_the_forge(tmp_path_factory, tables):
    """What the forge accepts the scorer follows."""
    path = tmp_path_factory.getbasetemp() / "live.toml"
    path.write_text(toml(tables))
    try:
        theirs = parse_live(path.read_text())
    except LiveError as error:
        with pytest.raises(LiveFileError) as caught:
            read_live(path)
        assert str(caught.value) == str(error).replace("live.toml", str(path), 1)
    else:
        assert read_live(path) == (theirs, False)


def name(store, text="", **roles):
    """Write what is live: each role a bundle, or a bundle and more keys."""
    for role, given_ in roles.items():
        bundle, more = given_ if isinstance(given_, tuple) else (given_, "")
        store.put(bundle)
        digest = json.loads((bundle / "manifest.json").read_text())["digest"]
        text += f'[{role}]\nversion = "{bundle.name}"\ndigest = "{digest}"\n{more}\n'
    store.write(text)


def names(follower):
    """The arms, with their versions and shares."""
    return {arm.name: (arm.bundle.version, arm.share) for arm in follower.live.all()}


def test_every_arm_that_has_rows_is_loaded_and_has_its_share(follower, store, bundles):
    """The champion gets the rest."""
    old, new = bundles
    name(store, champion=old, challenger=(new, "share = 0.1"), anchor=(old, "share = 0.05"))
    follower.refresh()

    assert follower.refused is None
    assert names(follower) == {"champion": (old.name, 0.85), "challenger": (new.name, 0.1), "anchor": (old.name, 0.05)}
    assert follower.live.anchor.bundle is follower.live.bundle
    assert follower.live.salt == "buys"
    found = [follower.live.pick(f"visitor-{number}") for number in range(200)]
    assert {(arm.name, arm.bundle.version) for arm in found} == {
        (arm, version) for arm, (version, _) in names(follower).items()
    }


def test_a_shadow_has_no_rows_of_its_own(follower, store, bundles):
    """All are answered by the champion."""
    old, new = bundles
    name(store, '[split]\nsalt = "s-1"\n', champion=old, challenger=(new, 'mode = "shadow"'))
    follower.refresh()

    assert names(follower) == {"champion": (old.name, 1), "shadow": (new.name, 0)}
    assert not follower.live.split
    assert follower.live.salt == "s-1"
    assert {follower.live.pick(f"v{number}").name for number in range(50)} == {"champion"}


def test_a_bundle_without_rows_is_not_loaded(follower, store, bundles):
    """An anchor that is merely named, a challenger of share 0: neither memory nor harm."""
    old, new = bundles
    name(store, champion=old, challenger=(new, "share = 0"), anchor=new)
    (store.folder / "bundles" / new.name / "model.onnx").write_bytes(b"cut")
    follower.refresh()

    assert follower.refused is None
    assert names(follower) == {"champion": (old.name, 1)}


def test_a_share_changes_without_loading_anything(follower, store, bundles, clock):
    """And each arm is what it was since when it was."""
    old, new = bundles
    name(store, champion=old, challenger=(new, "share = 0.1"))
    follower.refresh()
    before = follower.live
    clock.pass_by(hours=1)
    name(store, champion=old, challenger=(new, "share = 0.2"))
    follower.refresh()

    assert follower.live.challenger.share == 0.2
    assert follower.live.challenger.bundle is before.challenger.bundle
    assert follower.live.challenger.since == before.challenger.since == follower.live.since
    clock.pass_by(hours=1)
    name(store, champion=new)
    follower.refresh()
    assert follower.live.bundle is before.challenger.bundle
    assert follower.live.since == "2026-03-01T14:00:00Z"


@pytest.mark.parametrize(
    ("challenger", "words"),
    [
        ("share = 1.5", "challenger.share is 1.5; expected a number from 0 to 1"),
        ('mode = "canary"', "challenger.mode is 'canary'; expected \"shadow\", or a share instead"),
        ("share = 0.7", "the shares of challenger (0.7) and anchor (0.5) sum to 1.2; expected at most 1"),
        (
            'share = 0.1\nmode = "shadow"',
            "challenger has a share and a mode; expected one of them, a shadow answers no request",
        ),
    ],
)
def test_arms_that_make_no_sense_are_refused_and_the_old_ones_go_on(follower, store, bundles, challenger, words):
    """In a sentence that says what would."""
    old, new = bundles
    name(store, champion=old, challenger=(new, "share = 0.1"))
    follower.refresh()
    before = follower.live
    name(store, champion=new, challenger=(old, challenger), anchor=(old, "share = 0.5"))
    follower.refresh()

    assert follower.live is before
    assert words in follower.refused["why"]


@pytest.mark.parametrize("more", ["share = 0.1", 'mode = "shadow"'])
def test_a_challenger_that_cannot_read_the_champions_rows_is_refused(follower, store, bundles, regression, more):
    """Before a visitor finds out; what was live goes on."""
    name(store, champion=bundles[0], challenger=(bundles[1], "share = 0.3"))
    follower.refresh()
    before = follower.live
    name(store, champion=bundles[0], challenger=(regression, more))
    follower.refresh()

    assert follower.live is before
    assert follower.refused["what"] == regression.name
    assert f"the challenger {regression.name} cannot read the champion's rows: its task is" in (follower.refused["why"])


def test_a_champion_does_not_wait_for_an_arm_that_is_bad(follower, store, bundles):
    """It begins without it, and the arm joins once it is put right."""
    old, new = bundles
    name(store, champion=old, challenger=(new, "share = 0.5"))
    place = store.folder / "bundles" / new.name / "model.onnx"
    good = place.read_bytes()
    place.write_bytes(b"cut")
    follower.refresh()
    assert names(follower) == {"champion": (old.name, 1)}
    assert follower.refused["what"] == new.name
    assert "is damaged" in follower.refused["why"]

    place.write_bytes(good)
    follower.refresh()
    assert names(follower) == {"champion": (old.name, 0.5), "challenger": (new.name, 0.5)}
    assert follower.refused is None


def test_a_rollback_is_not_held_up_by_a_challenger(follower, store, bundles, regression):
    """One that reads the rows of the newer champion only, say."""
    old, new = bundles
    name(store, champion=new)
    follower.refresh()
    name(store, champion=old, challenger=(regression, "share = 0.5"))
    follower.refresh()

    assert names(follower) == {"champion": (old.name, 1)}
    assert follower.refused["what"] == regression.name


def test_memory_returns_to_one_set(follower, store, bundles):
    """Whatever was live before is gone, its session with it."""
    old, new = bundles
    gone = []
    for first, second in ((old, new), (new, old), (old, new)):
        name(store, champion=first)
        follower.refresh()
        name(store, champion=first, challenger=(second, "share = 0.5"))
        follower.refresh()
        for arm in follower.live.all():
            gone += [weakref.ref(arm.bundle), weakref.ref(arm.bundle.session)]
        del arm
    name(store, 'champion = "none"\n')
    follower.refresh()
    gc.collect()

    assert [each() for each in gone if each() is not None] == []


def test_a_set_is_never_seen_half_changed(follower, store, bundles):
    """A look while it swaps sees the old arms or the new ones."""
    sets = [{"champion": bundles[0].name, "challenger": bundles[1].name}]
    sets.append({"champion": bundles[1].name, "challenger": bundles[0].name})
    seen, ended = [], threading.Event()

    def look():
        while not ended.is_set():
            seen.append({arm.name: arm.bundle.version for arm in follower.live.all()})

    name(store, champion=bundles[0], challenger=(bundles[1], "share = 0.5"))
    follower.refresh()
    thread = threading.Thread(target=look)
    thread.start()
    for first, second in ((bundles[1], bundles[0]), (bundles[0], bundles[1])) * 5:
        name(store, champion=first, challenger=(second, "share = 0.5"))
        follower.refresh()
    ended.set()
    thread.join()

    assert [each for each in seen if each not in sets] == []

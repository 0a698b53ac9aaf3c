"""A shadow scores what others answered, in another process; no answer shows it, and none can be harmed."""

import gc
import json
import socket
import weakref
from dataclasses import replace
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from bundles.bundle import Bundle
from contracts.bundle_content import content_digest
from serve.app import create_app
from serve.metrics.scorer_metrics import Metrics
from serve.scoring.score_rows import score
from serve.settings import Settings
from serve.traffic.background import Background
from serve.traffic.shadow import BATCH, CHUNK, MAX_MESSAGE, Offers, Shadow
from serve.traffic.split import Variant
from tests.serve.test_scorer_metrics import parse

AT = "2026-03-01T12:00:00.000000Z"
SOON = 30  # seconds that a test waits before it gives up


class Kept(list):
    """Keeps lines, as the journal does."""

    def __call__(self, lines, private, key):
        self.extend(lines)
        self.private, self.key = private, key
        return True


@pytest.fixture(scope="session")
def loaded(bundles):
    return [Bundle.load(bundle) for bundle in bundles]


@pytest.fixture
def arm(loaded):
    return Variant("shadow", loaded[1], 0.0, "", loaded[0].contract)


@pytest.fixture
def rows(loaded):
    return list(loaded[0].manifest["golden"]["rows"])


@pytest.fixture
def answered(loaded):
    """The champion's answers."""
    return lambda rows: score(loaded[0], "champion", rows, [f"id-{n}" for n in range(len(rows))], AT)


@pytest.fixture
def pair():
    """What a worker sends to, and what the background process receives from."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    yield ends
    for each in ends:
        each.close()


@pytest.fixture
def offer(pair, answered):
    """Offers rows with the champion's answers to a shadow, which has them then."""
    to, received = pair
    offers = Offers(to)

    def offer(shadow, arm, rows):
        offers.offer(arm, answered(rows), rows)
        for _ in range(0, len(rows), CHUNK):
            shadow.take(received.recv(2**20, socket.MSG_DONTWAIT))

    return offer


def spoilt(arm, spoil):
    """The arm with a bundle that does something else when it scores."""
    known = {name: getattr(arm.bundle, name) for name in ("contract", "version")}
    return replace(arm, bundle=SimpleNamespace(**known, score=spoil))


def raising(rows):
    raise RuntimeError("a bad day")


def score_all(shadow, arm):
    while shadow.waiting:
        shadow.turn(arm)


@pytest.fixture
def counted():
    return []


@pytest.fixture
def shadow(counted):
    """One that keeps what it finds in a list, and one of what it counts."""
    found = Shadow(Kept(), lambda *seen: counted.append(seen))
    found.kept = found._keep
    return found


def test_it_scores_the_rows_that_were_answered(shadow, arm, rows, offer, loaded, counted):
    """With its own model; each line has the id of the answer it belongs to."""
    offer(shadow, arm, rows)
    score_all(shadow, arm)
    kept = msgspec.to_builtins([*shadow.kept])
    pairs = [*zip(loaded[0].score(rows).tolist(), loaded[1].score(rows).tolist(), strict=True)]
    difference = sum(abs(seen - shadowed) for seen, shadowed in pairs)
    disagreed = sum((seen >= 0.5) != (shadowed >= 0.5) for seen, shadowed in pairs)

    assert [line["id"] for line in kept] == [f"id-{n}" for n in range(len(rows))]
    assert [line["score"] for line in kept] == pytest.approx(loaded[1].score(rows).tolist())
    assert {(line["arm"], line["version"]) for line in kept} == {("shadow", loaded[1].version)}
    assert kept[0]["row"] == {name: rows[0].get(name) for name in arm.bundle.contract.feature_names}
    assert [(version, found["scored"]) for version, found in counted] == [
        (loaded[1].version, min(BATCH, len(rows) - start)) for start in range(0, len(rows), BATCH)
    ]
    assert sum(found["disagreed"] for _, found in counted) == disagreed
    assert sum(found["difference"] for _, found in counted) == pytest.approx(difference)
    assert difference > 0


def test_rows_of_many_requests_are_scored_together(shadow, arm, rows, offer):
    """A few at a time, in their order."""
    sizes = []

    def counting(some):
        sizes.append(len(some))
        return np.zeros(len(some), np.float32)

    for _ in range(200):
        offer(shadow, arm, rows[:1])
    score_all(shadow, spoilt(arm, counting))

    assert sum(sizes) == 200
    assert max(sizes) == BATCH


def test_what_finds_no_room_is_dropped_and_counted(pair, arm, rows, answered):
    """An offer does not wait, whatever the other end is doing."""
    to, received = pair
    offers, dropped = Offers(to), []
    offers.counted = lambda *found: dropped.append(found)
    many = [{**row, "padding": "x" * 10_000} for row in rows[:1] * 1_000]
    offers.offer(arm, answered(rows[:1]) * 1_000, many)
    state = offers.state()

    assert state["offered"] + state["dropped"] == 1_000
    assert dropped == [(arm.bundle.version, {"dropped": state["dropped"]})]
    assert 0 < state["dropped"] < 1_000
    received.close()
    offers.offer(arm, answered(rows[:1]), rows[:1])
    assert offers.state()["dropped"] == state["dropped"] + 1


@pytest.mark.parametrize("odd", [2**70, "\ud800"], ids=["a large number", "half a character"])
def test_what_cannot_be_sent_is_dropped_and_counted(pair, arm, rows, answered, odd):
    """A field that no contract knows may hold whatever JSON has."""
    offers = Offers(pair[0])
    offers.offer(arm, answered(rows[:1]), [{**rows[0], "more": odd}])

    assert offers.state() == {"offered": 0, "dropped": 1}


def test_a_message_that_would_arrive_in_part_is_dropped_and_counted(pair, arm, rows, answered):
    """The background process receives `MAX_MESSAGE` bytes at once; the rest of a longer one would be lost."""
    to, received = pair
    offers = Offers(to)
    offers.offer(arm, answered(rows[:1]), [{**rows[0], "more": "x" * MAX_MESSAGE}])
    assert offers.state() == {"offered": 0, "dropped": 1}

    offers.offer(arm, answered(rows[:1]), rows[:1])
    assert len(received.recv(MAX_MESSAGE, socket.MSG_DONTWAIT)) < MAX_MESSAGE
    assert offers.state() == {"offered": 1, "dropped": 1}


def test_no_more_is_taken_than_may_wait(arm, rows, offer, counted):
    """The rest stays where it is, and is dropped by who finds no room there."""
    shadow = Shadow(Kept(), lambda *seen: counted.append(seen), most=10)
    for _ in range(3):
        assert shadow.has_room
        offer(shadow, arm, rows[:4])
    assert not shadow.has_room
    score_all(shadow, arm)

    assert shadow.has_room
    assert sum(found["scored"] for _, found in counted) == 12


@pytest.mark.parametrize("other", [0, None], ids=["another", "none"])
def test_rows_for_a_shadow_that_is_no_more_are_dropped(shadow, arm, rows, offer, loaded, counted, other):
    """Between two releases, a worker and the background process may be of two minds."""
    offer(shadow, arm, rows[:3])
    score_all(shadow, other if other is None else replace(arm, bundle=loaded[other]))

    assert counted == [(arm.bundle.version, {"dropped": 3})]
    assert shadow.kept == []


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (raising, "RuntimeError: a bad day"),
        (lambda rows: np.full(len(rows), np.nan, np.float32), "a score is not finite"),
        (lambda rows: np.zeros(0, np.float32), "ValueError"),
    ],
)
def test_a_challenger_that_fails_is_counted(shadow, arm, rows, offer, loaded, counted, spoil, words, capsys):
    """The next rows are scored as if nothing had been."""
    offer(shadow, arm, rows[:3])
    shadow.turn(spoilt(arm, spoil))
    offer(shadow, arm, rows[:2])
    shadow.turn(arm)

    assert [(found.get("failed"), found.get("scored")) for _, found in counted] == [(3, None), (None, 2)]
    assert len(shadow.kept) == 2
    printed = capsys.readouterr().err
    assert f"shadow failed: {loaded[1].version}" in printed
    assert words in printed


def test_a_journal_that_keeps_nothing_is_counted(arm, rows, offer, counted, capsys):
    """By a full disk."""
    shadow = Shadow(lambda lines, private, key: False, lambda *found: counted.append(found))
    offer(shadow, arm, rows[:3])
    shadow.turn(arm)

    assert counted == [(arm.bundle.version, {"failed": 3})]
    assert "the journal cannot be written" in capsys.readouterr().err


def test_what_is_private_for_the_champion_or_the_challenger_is_private(shadow, arm, rows, offer):
    """Neither knows better than the other what a visitor would mind."""
    offer(shadow, arm, rows[:1])
    shadow.turn(replace(arm, rows=replace(arm.rows, private=("country",))))

    assert set(shadow.kept.private) == {"visitor", "age", "country"}
    assert shadow.kept.key == "visitor"


def test_it_holds_no_bundle_that_has_nothing_to_score(shadow, bundles, loaded, rows, offer):
    """Memory returns to one set's worth after a swap."""
    bundle = Bundle.load(bundles[1])
    gone = weakref.ref(bundle.session)
    arm = Variant("shadow", bundle, 0.0, "", loaded[0].contract)
    offer(shadow, arm, rows)
    score_all(shadow, arm)
    del bundle, arm
    gc.collect()

    assert gone() is None


# --- in the scorer ---------------------------------------------------------------------------


def serve(store, champion, more=""):
    """Name what is live, with more text."""
    store.serve(champion)
    path = store.folder / "live.toml"
    path.write_text(path.read_text() + more)


SHADOWED = 'mode = "shadow"'


def resigned(place, manifest):
    """The bundle in *place* with another *manifest*, under the digest and name that this has."""
    manifest["digest"] = content_digest(manifest)
    manifest["version"] = f"{manifest['version'][:13]}-{manifest['digest'][7:19]}"
    (place / "manifest.json").write_text(json.dumps(manifest))
    return place.rename(place.with_name(manifest["version"]))


def slot(store, role, bundle, more):
    store.put(bundle)
    digest = json.loads((bundle / "manifest.json").read_text())["digest"]
    return f'[{role}]\nversion = "{bundle.name}"\ndigest = "{digest}"\n{more}\n'


@pytest.fixture
def running(store, journal, clock, pair, tmp_path):
    """The application with what is named, its scorer, and the background process (in this one)."""
    begun, folder = [], tmp_path / "metrics"
    folder.mkdir()

    def run(champion, more=""):
        serve(store, champion, more)
        app = create_app(
            store.folder, journal, follow_every=None, clock=clock, metrics=Metrics(folder), offers=Offers(pair[0])
        )
        settings = Settings(store=store.folder, journal=journal)
        background = Background(settings, pair[1], clock, Metrics(folder, worker=False))
        background.follower.refresh()
        begun.append(background)
        return app.test_client(), app.extensions["tidegate"], background

    yield run
    for background in begun:
        background.close()


def test_a_shadow_is_journalled_separately_and_shown_to_nobody(running, store, bundles, row, kept, loaded):
    """The watch reads answers, and a shadow's lines have the ids of answers."""
    client, _, background = running(bundles[0], slot(store, "challenger", bundles[1], SHADOWED))
    found = client.post("/score", json=[row | {"visitor": f"v{n}"} for n in range(40)]).json

    background.settle(SOON)
    answers, shadows = kept("answers"), kept("shadow")
    assert {each["arm"] for each in found} == {"champion"}
    assert {line["version"] for line in answers} == {bundles[0].name}
    assert {line["version"] for line in shadows} == {bundles[1].name}
    assert [line["id"] for line in shadows] == [each["id"] for each in found]
    assert [line["key"] for line in shadows] == [line["key"] for line in answers]
    assert "age" not in shadows[0]["row"]
    assert shadows[0]["score"] == pytest.approx(float(loaded[1].score([row])[0]), abs=0)
    assert "salt" not in answers[0]
    state = client.get("/ready").json
    assert state["shadow"] == {"offered": 40, "dropped": 0}
    assert [(arm["arm"], arm["share"]) for arm in state["arms"]] == [("champion", 1), ("shadow", 0)]


def counted_by(client):
    """What /metrics says of a metric with labels."""
    measured = parse(client.get("/metrics").text)

    def find(name, **labels):
        return measured[f"tidegate_{name}", tuple(sorted(labels.items()))]

    return find


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_how_a_shadow_differs_is_counted(running, store, bundles, row, task):
    """For Prometheus, over all processes; a model differs from itself in nothing."""
    bundle = min((bundles[0].parents[1] / task).iterdir())
    client, _, background = running(bundle, slot(store, "challenger", bundle, SHADOWED))
    client.post("/score", json=[row | {"visitor": f"v{n}"} for n in range(40)])
    background.settle(SOON)
    find, version = counted_by(client), bundle.name

    assert find("shadow_rows_total", version=version, result="scored") == 40
    assert find("shadow_difference_total", version=version) < 40 * 1e-4
    if task != "regression":
        assert find("shadow_disagreements_total", version=version) == 0
    assert find("workers") == 1


def test_the_models_are_where_they_are_needed(running, store, bundles):
    """A worker knows of the shadow what its manifest says; the background process, of the champion."""
    _, scorer, background = running(bundles[0], slot(store, "challenger", bundles[1], SHADOWED))
    here, there = scorer.follower.live, background.follower.live

    assert here.champion.bundle.session
    assert there.shadow.bundle.session
    for arm in (here.shadow, there.champion):
        with pytest.raises(RuntimeError, match="only described here"):
            arm.bundle.score([{}])


def test_a_shadow_that_fails_fails_no_answer(running, store, bundles, row, kept):
    """It is counted."""
    client, _, background = running(bundles[0], slot(store, "challenger", bundles[1], SHADOWED))
    live = background.follower.live
    background.follower.live = replace(live, shadow=spoilt(live.shadow, raising))
    answer = client.post("/score", json=row)
    background.settle(SOON)

    assert answer.status_code == 200
    assert client.get("/ready").json["ready"]
    assert counted_by(client)("shadow_rows_total", version=bundles[1].name, result="failed") == 1
    assert kept("shadow") == []


def test_a_shadow_that_does_not_score_its_golden_rows_is_refused_in_the_background(
    running, store, bundles, row, capsys
):
    """The worker answers as ever, and its rows for it are dropped and counted."""
    place = store.put(bundles[1])
    manifest = json.loads((place / "manifest.json").read_text())
    manifest["golden"]["scores"][0] = 0.9999
    bad = resigned(place, manifest)
    client, _, background = running(bundles[0], slot(store, "challenger", bad, SHADOWED))
    assert client.post("/score", json=row).status_code == 200
    background.settle(SOON)

    assert f"background: refused {bad.name}" in capsys.readouterr().err
    assert counted_by(client)("shadow_rows_total", version=bad.name, result="dropped") == 1


def test_rows_are_answered_without_a_background_process(running, store, bundles, row):
    """Rows are dropped when there is no more room for them, and answers go out."""
    client, _, _ = running(bundles[0], slot(store, "challenger", bundles[1], SHADOWED))
    rows = [row | {"visitor": f"v{n}", "note": "x" * 2_900} for n in range(600)]

    assert {client.post("/score", json=rows).status_code for _ in range(8)} == {200}
    assert client.get("/ready").json["shadow"]["dropped"] > 0


def test_without_a_shadow_nothing_is_offered(running, bundles, row, kept):
    """And nothing is said of one."""
    client, scorer, background = running(bundles[0])
    client.post("/score", json=row)
    background.settle(SOON)

    assert client.get("/ready").json["shadow"] is None
    assert scorer.offers.state() == {"offered": 0, "dropped": 0}
    assert kept("shadow") == []


def test_every_row_is_answered_by_the_arm_of_its_key(running, store, bundles, row, kept, loaded):
    """One by one, and in a batch; the scores are those of the arm's own model, the order is kept."""
    client, scorer, _ = running(
        bundles[0],
        slot(store, "challenger", bundles[1], "share = 0.4") + slot(store, "anchor", bundles[0], "share = 0.2"),
    )
    rows = [row | {"visitor": f"v{n}", "pages": float(n)} for n in range(60)]
    found = client.post("/score", json=rows).json

    assert {each["arm"] for each in found} == {"champion", "challenger", "anchor"}
    for each, asked in zip(found, rows, strict=True):
        arm = scorer.follower.live.pick(asked["visitor"])
        assert (each["arm"], each["version"]) == (arm.name, arm.bundle.version)
        # Some rows at once differ in the last bit from each by itself.
        assert each["score"] == pytest.approx(float(arm.bundle.score([asked])[0]), abs=1e-6)
    for asked, before in zip(rows[:10], found, strict=False):
        again = client.post("/score", json=asked).json
        assert again["arm"] == before["arm"]
        assert again["score"] == pytest.approx(before["score"], abs=1e-6)
    assert {line["id"]: line["arm"] for line in kept("answers") if line["id"] in {each["id"] for each in found}} == {
        each["id"]: each["arm"] for each in found
    }


def test_the_journal_says_salt_split_and_share(running, store, bundles, row, kept):
    """A private key's point is left out: it would reveal a key that somebody guesses."""
    multiclass = min((bundles[0].parents[1] / "multiclass").iterdir())
    client, _, _ = running(
        multiclass, slot(store, "challenger", multiclass, "share = 0.5") + '[split]\nsalt = "spring"\n'
    )
    client.post("/score", json=[row | {"visitor": f"v{n}"} for n in range(20)])
    client.post("/score", json={k: v for k, v in row.items() if k != "visitor"})

    for line in kept("answers"):
        assert (line["salt"], line["share"]) == ("spring", 0.5)
        assert line["arm"] == ("challenger" if line["split"] >= 0.5 else "champion")


def test_a_private_keys_point_is_not_journalled(running, store, bundles, row, kept):
    """Salt and share are."""
    client, _, _ = running(bundles[0], slot(store, "challenger", bundles[1], "share = 0.5"))
    client.post("/score", json=row)

    (line,) = kept("answers")
    assert line["salt"] == "buys"
    assert "split" not in line


def test_a_row_that_is_wrong_is_wrong_in_every_arm(running, store, bundles, row):
    """Nothing of its request is answered, and its number is that of the request."""
    client, _, _ = running(bundles[0], slot(store, "challenger", bundles[1], "share = 0.5"))
    rows = [row | {"visitor": f"v{n}"} for n in range(20)]
    rows[17]["pages"] = -1
    answer = client.post("/score", json=rows)

    assert answer.status_code == 422
    assert [problem["row"] for problem in answer.json["problems"]] == [17]

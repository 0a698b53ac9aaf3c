"""A shadow scores what others answered, is told to nobody, and can harm no answer."""

import gc
import json
import threading
import weakref
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from serve.app import create_app
from serve.arms import Arm
from serve.bundle import Bundle
from serve.scoring import score
from serve.shadow import CHUNK, Shadow

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
    return Arm("shadow", loaded[1], 0.0, "", loaded[0].contract)


@pytest.fixture
def rows(loaded):
    return list(loaded[0].manifest["golden"]["rows"])


@pytest.fixture
def answered(loaded):
    """The champion's answers."""
    return lambda rows: score(
        loaded[0], "champion", rows, [f"id-{n}" for n in range(len(rows))], AT
    )


def spoilt(arm, spoil):
    """The arm with a bundle that does something else when it scores."""
    known = {name: getattr(arm.bundle, name) for name in ("contract", "version")}
    return replace(arm, bundle=SimpleNamespace(**known, score=spoil))


def raising(rows):
    raise RuntimeError("a bad day")


def test_it_scores_the_rows_that_were_answered(arm, rows, answered, loaded):
    """With its own model; each line has the id of the answer it belongs to."""
    kept = Kept()
    shadow = Shadow(kept)
    counted = []
    shadow.counted = lambda *told: counted.append(told)
    shadow.offer(arm, answered(rows), rows)
    pairs = [*zip(loaded[0].score(rows).tolist(), loaded[1].score(rows).tolist(), strict=True)]
    difference = sum(abs(told - shadowed) for told, shadowed in pairs)
    disagreed = sum((told >= 0.5) != (shadowed >= 0.5) for told, shadowed in pairs)

    assert shadow.wait(SOON)
    assert [line["id"] for line in kept] == [f"id-{n}" for n in range(len(rows))]
    assert [line["score"] for line in kept] == pytest.approx(loaded[1].score(rows).tolist())
    assert {(line["arm"], line["version"]) for line in kept} == {("shadow", loaded[1].version)}
    assert kept[0]["row"] == {name: rows[0].get(name) for name in arm.bundle.contract.feature_names}
    assert counted == [(loaded[1].version, {
        "scored": len(rows), "disagreed": disagreed, "difference": pytest.approx(difference),
    })]  # fmt: skip
    assert difference > 0
    assert shadow.state() == {
        "scored": len(rows), "waiting": 0, "dropped": 0, "failed": 0, "why": "",
    }  # fmt: skip


def test_rows_of_many_requests_are_scored_together(arm, rows, answered):
    """A few at a time, in their order."""
    kept, sizes = Kept(), []

    def counting(some):
        sizes.append(len(some))
        return np.zeros(len(some), np.float32)

    shadow = Shadow(kept)
    for _ in range(200):
        shadow.offer(spoilt(arm, counting), answered(rows[:1]), rows[:1])

    assert shadow.wait(SOON)
    assert sum(sizes) == 200
    assert max(sizes) <= CHUNK


def test_a_full_queue_drops_and_counts(arm, rows, answered):
    """An offer does not wait, whatever the shadow is doing."""
    go_on, begun = threading.Event(), threading.Event()

    def slow(some):
        begun.set()
        assert go_on.wait(SOON)
        return np.zeros(len(some), np.float32)

    kept = Kept()
    shadow, dropped = Shadow(kept, most=10), []
    shadow.counted = lambda *told: dropped.append(told) if "dropped" in told[1] else None
    shadow.offer(spoilt(arm, slow), answered(rows[:1]), rows[:1])
    assert begun.wait(SOON)
    for _ in range(3):
        shadow.offer(arm, answered(rows[:4]), rows[:4])

    assert dropped == [(arm.bundle.version, {"dropped": 2})]
    assert shadow.state()["waiting"] == 11
    assert shadow.state()["dropped"] == 2
    go_on.set()
    assert shadow.wait(SOON)
    assert len(kept) == 11


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (raising, "RuntimeError: a bad day"),
        (lambda rows: np.full(len(rows), np.nan, np.float32), "a score that is not finite"),
        (lambda rows: np.zeros(0, np.float32), "ValueError"),
    ],
)
def test_a_challenger_that_fails_is_counted(arm, rows, answered, loaded, spoil, words, capsys):
    """The next one is scored as if nothing had been."""
    kept = Kept()
    shadow, counted = Shadow(kept), []
    shadow.counted = lambda *told: counted.append(told)
    shadow.offer(spoilt(arm, spoil), answered(rows[:3]), rows[:3])
    shadow.offer(arm, answered(rows[:2]), rows[:2])

    assert shadow.wait(SOON)
    assert (shadow.failed, shadow.scored, len(kept)) == (3, 2, 2)
    assert [(found.get("failed"), found.get("scored")) for _, found in counted] == [
        (3, None), (None, 2),
    ]  # fmt: skip
    assert words in shadow.why
    assert loaded[1].version in shadow.why
    assert "shadow failed" in capsys.readouterr().err


def test_a_journal_that_keeps_nothing_is_counted(arm, rows, answered):
    """By a full disk."""
    shadow = Shadow(lambda lines, private, key: False)
    shadow.offer(arm, answered(rows[:3]), rows[:3])

    assert shadow.wait(SOON)
    assert (shadow.failed, shadow.scored) == (3, 0)
    assert "the journal cannot be written" in shadow.why


def test_what_is_private_for_the_champion_or_the_challenger_is_private(arm, rows, answered):
    """Neither knows better than the other what a visitor would mind."""
    kept = Kept()
    private = replace(arm.rows, private=("country",))
    shadow = Shadow(kept)
    shadow.offer(replace(arm, rows=private), answered(rows[:1]), rows[:1])

    assert shadow.wait(SOON)
    assert set(kept.private) == {"visitor", "age", "country"}
    assert kept.key == "visitor"


def test_it_holds_no_bundle_that_has_nothing_to_score(bundles, loaded, rows, answered):
    """Memory returns to one set's worth after a swap."""
    bundle = Bundle.load(bundles[1])
    gone = weakref.ref(bundle.session)
    shadow = Shadow(Kept())
    shadow.offer(Arm("shadow", bundle, 0.0, "", loaded[0].contract), answered(rows), rows)
    assert shadow.wait(SOON)
    del bundle
    shadow.offer(Arm("shadow", loaded[1], 0.0, "", loaded[0].contract), answered(rows), rows)
    assert shadow.wait(SOON)
    gc.collect()

    assert gone() is None


# --- in the scorer ---------------------------------------------------------------------------


def serve(store, champion, more=""):
    """Name what is live, with more text."""
    store.serve(champion)
    path = store.folder / "live.toml"
    path.write_text(path.read_text() + more)


def slot(store, role, bundle, more):
    store.put(bundle)
    digest = json.loads((bundle / "manifest.json").read_text())["digest"]
    return f'[{role}]\nversion = "{bundle.name}"\ndigest = "{digest}"\n{more}\n'


@pytest.fixture
def running(store, journal, clock):
    """The application with what is named, and its scorer."""

    def run(champion, more=""):
        serve(store, champion, more)
        app = create_app(store.folder, journal, follow_every=None, clock=clock)
        return app.test_client(), app.extensions["tidegate"]

    return run


def test_a_shadow_is_journalled_apart_and_told_to_nobody(
    running, store, bundles, row, kept, loaded
):
    """The watch reads answers, and a shadow's lines have the ids of answers."""
    client, scorer = running(bundles[0], slot(store, "challenger", bundles[1], 'mode = "shadow"'))
    told = client.post("/score", json=[row | {"visitor": f"v{n}"} for n in range(40)]).json

    assert scorer.shadow.wait(SOON)
    answers, shadows = kept("answers"), kept("shadow")
    assert {each["arm"] for each in told} == {"champion"}
    assert {line["version"] for line in answers} == {bundles[0].name}
    assert {line["version"] for line in shadows} == {bundles[1].name}
    assert [line["id"] for line in shadows] == [each["id"] for each in told]
    assert [line["key"] for line in shadows] == [line["key"] for line in answers]
    assert "age" not in shadows[0]["row"]
    assert shadows[0]["score"] == pytest.approx(float(loaded[1].score([row])[0]), abs=0)
    assert "salt" not in answers[0]
    state = client.get("/ready").json
    assert state["shadow"] == {
        "scored": 40, "waiting": 0, "dropped": 0, "failed": 0, "why": "",
    }  # fmt: skip
    assert [(arm["arm"], arm["share"]) for arm in state["arms"]] == [("champion", 1), ("shadow", 0)]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_how_a_shadow_differs_is_counted(running, store, bundles, row, task):
    """For Prometheus, over all workers; a model differs from itself in nothing."""
    bundle = min((bundles[0].parents[1] / task).iterdir())
    client, scorer = running(bundle, slot(store, "challenger", bundle, 'mode = "shadow"'))
    client.post("/score", json=[row | {"visitor": f"v{n}"} for n in range(40)])
    assert scorer.shadow.wait(SOON)
    told = client.get("/metrics").text.splitlines()

    def counted(name, **labels):
        said = ",".join(f'{key}="{value}"' for key, value in labels.items())
        (line,) = (line for line in told if line.startswith(f"tidegate_{name}{{{said}}}"))
        return float(line.split()[-1])

    version = bundle.name
    assert counted("shadow_rows_total", version=version, result="scored") == 40
    assert counted("shadow_difference_total", version=version) < 40 * 1e-4
    if task != "regression":
        assert counted("shadow_disagreements_total", version=version) == 0


def test_a_shadow_that_fails_fails_no_answer(running, store, bundles, row, kept):
    """It is said on /ready."""
    client, scorer = running(bundles[0], slot(store, "challenger", bundles[1], 'mode = "shadow"'))
    live = scorer.router.live
    scorer.router.live = replace(live, shadow=spoilt(live.shadow, raising))
    answer = client.post("/score", json=row)

    assert answer.status_code == 200
    assert scorer.shadow.wait(SOON)
    state = client.get("/ready").json
    assert state["ready"]
    assert state["shadow"]["failed"] == 1
    assert state["shadow"]["why"] == f"{bundles[1].name}: RuntimeError: a bad day"
    assert kept("shadow") == []


def test_a_shadow_whose_disk_hangs_holds_up_no_answer(running, store, bundles, row, kept):
    """It writes under a lock of its own."""
    client, scorer = running(bundles[0], slot(store, "challenger", bundles[1], 'mode = "shadow"'))
    with scorer._beside._lock:
        for _ in range(5):
            assert client.post("/score", json=row).status_code == 200
        assert len(kept("answers")) == 5
        assert kept("shadow") == []

    assert scorer.shadow.wait(SOON)
    assert len(kept("shadow")) == 5


def test_a_shadow_that_is_stopped_has_scored_what_was_answered(running, store, bundles, row, kept):
    """A graceful stop waits a second for it."""
    client, scorer = running(bundles[0], slot(store, "challenger", bundles[1], 'mode = "shadow"'))
    client.post("/score", json=[row | {"visitor": f"v{n}"} for n in range(100)])
    scorer.close()

    assert len(kept("shadow")) == 100


def test_without_a_shadow_there_is_none(running, bundles, row, kept):
    """Not even a thread."""
    client, scorer = running(bundles[0])
    client.post("/score", json=row)

    assert client.get("/ready").json["shadow"] is None
    assert scorer.shadow._thread is None
    assert kept("shadow") == []


def test_every_row_is_answered_by_the_arm_of_its_key(running, store, bundles, row, kept, loaded):
    """One by one, and in a batch; the scores are those of the arm's own model, the order is kept."""
    client, scorer = running(
        bundles[0],
        slot(store, "challenger", bundles[1], "share = 0.4")
        + slot(store, "anchor", bundles[0], "share = 0.2"),
    )
    rows = [row | {"visitor": f"v{n}", "pages": float(n)} for n in range(60)]
    told = client.post("/score", json=rows).json

    assert {each["arm"] for each in told} == {"champion", "challenger", "anchor"}
    for each, asked in zip(told, rows, strict=True):
        arm = scorer.router.live.pick(asked["visitor"])
        assert (each["arm"], each["version"]) == (arm.name, arm.bundle.version)
        # Some rows at once differ in the last bit from each by itself.
        assert each["score"] == pytest.approx(float(arm.bundle.score([asked])[0]), abs=1e-6)
    for asked, before in zip(rows[:10], told, strict=False):
        again = client.post("/score", json=asked).json
        assert again["arm"] == before["arm"]
        assert again["score"] == pytest.approx(before["score"], abs=1e-6)
    assert {line["id"]: line["arm"] for line in kept("answers") if line["id"] in {
        each["id"] for each in told
    }} == {each["id"]: each["arm"] for each in told}  # fmt: skip


def test_the_journal_says_salt_split_and_share(running, store, bundles, row, kept):
    """A private key's point is left out: it would tell a key that somebody guesses."""
    multiclass = min((bundles[0].parents[1] / "multiclass").iterdir())
    client, _ = running(
        multiclass,
        slot(store, "challenger", multiclass, "share = 0.5") + '[split]\nsalt = "spring"\n',
    )
    client.post("/score", json=[row | {"visitor": f"v{n}"} for n in range(20)])
    client.post("/score", json={k: v for k, v in row.items() if k != "visitor"})

    for line in kept("answers"):
        assert (line["salt"], line["share"]) == ("spring", 0.5)
        assert line["arm"] == ("challenger" if line["split"] >= 0.5 else "champion")


def test_a_private_keys_point_is_not_journalled(running, store, bundles, row, kept):
    """Salt and share are."""
    client, _ = running(bundles[0], slot(store, "challenger", bundles[1], "share = 0.5"))
    client.post("/score", json=row)

    (line,) = kept("answers")
    assert line["salt"] == "buys"
    assert "split" not in line


def test_a_row_that_is_wrong_is_wrong_in_every_arm(running, store, bundles, row):
    """Nothing of its request is answered, and its number is that of the request."""
    client, _ = running(bundles[0], slot(store, "challenger", bundles[1], "share = 0.5"))
    rows = [row | {"visitor": f"v{n}"} for n in range(20)]
    rows[17]["pages"] = -1
    answer = client.post("/score", json=rows)

    assert answer.status_code == 422
    assert [problem["row"] for problem in answer.json["problems"]] == [17]

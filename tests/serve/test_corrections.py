"""Online corrections: taken up like a swap, refused in a sentence, applied only if live.toml says so, and recorded."""

import json
import re
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO

import pytest

from audit.__main__ import main as audit
from contracts.live_config import Live, Slot
from contracts.live_tables import Online
from online.correction import MAX_BYTES, Correction
from serve.app import create_app
from tests.serve.conftest import lines

MADE = "2026-03-01T11:00:00Z"


def serve(store, bundle, mode="on"):
    """live.toml with this champion and mode."""
    store.put(bundle)
    digest = json.loads((bundle / "manifest.json").read_text())["digest"]
    live = Live(Slot(bundle.name, digest), online=Online(mode))
    store.write(f"{live.to_toml()}# {mode}\n")


def correction(version, **changes):
    found = Correction(version, "binary", MADE, MADE, "applied", "it earns", 1.0, intercept=0.3, slope=0.05)
    return replace(found, **changes)


def put(store, found, name=""):
    """A correction in the store, as python -m serve learn writes it."""
    folder = store.folder / "online"
    folder.mkdir(exist_ok=True)
    content = found if isinstance(found, bytes) else found.to_bytes()
    (folder / ".new").write_bytes(content)
    (folder / ".new").replace(folder / f"{name or found.version}.json")


@pytest.fixture
def version(store, bundles):
    """That of the champion, with corrections switched on."""
    serve(store, bundles[0])
    return bundles[0].name


@pytest.fixture
def scorer(store, journal, clock):
    app = create_app(store.folder, journal, follow_every=None, clock=clock)
    yield app.extensions["tidegate"], app.test_client()
    app.extensions["tidegate"].close()


def test_an_answer_is_corrected_and_keeps_the_models_score(version, store, scorer, journal, row):
    """The correction is in the journal before the answer, whole."""
    made, client = scorer
    plain = client.post("/score", json=row).json
    assert "correction" not in plain

    found = correction(version)
    put(store, found)
    made.follower.refresh()
    answer = client.post("/score", json=row).json

    assert answer["score"] == found.correct_one(plain["score"], row) != plain["score"]
    assert answer["correction"] == found.digest
    first, second = lines(journal, "answers")
    assert {"plain", "correction"} & first.keys() == set()
    assert (second["score"], second["plain"], second["correction"]) == (answer["score"], plain["score"], found.digest)
    (recorded,) = lines(journal, "corrections")
    assert (recorded["version"], recorded["correction"]) == (version, found.digest)
    assert Correction.from_json(json.loads(recorded["content"])) == found


def test_every_route_corrects_and_each_line_can_be_computed_again(version, store, scorer, journal, row):
    """To the bit: by the model's score and the row of the journal."""
    made, client = scorer
    found = correction(version, slices={"device": {"phone": 0.2, "": -0.1}})
    put(store, found)
    made.follower.refresh()
    rows = [row, *(row | {"device": each} for each in ("phone", "desk", "tablet"))] * 4
    client.post("/score", json=row)
    listed = client.post("/score", json=rows).json
    mlflow = client.post("/invocations", json={"instances": rows}).json["predictions"]
    tensors = [
        {"name": name, "shape": [1], "datatype": kind, "data": [row[name]]}
        for name, kind in (("country", "BYTES"), ("campaign", "BYTES"), ("device", "BYTES"), ("returning", "BOOL"),
                           ("age", "FP64"), ("pages", "FP64"))
    ]  # fmt: skip
    inferred = client.post("/v2/models/buys/infer", json={"inputs": tensors}).json

    assert {each["correction"] for each in (*listed, *mlflow)} == {found.digest}
    assert inferred["parameters"] == {"correction": found.digest}
    kept = lines(journal, "answers")
    assert [each["score"] for each in kept] == [found.correct_one(each["plain"], each["row"]) for each in kept]
    assert [each["score"] for each in kept[1:17]] == [each["score"] for each in listed]
    assert len(kept) == 1 + 16 + 16 + 1


@pytest.mark.parametrize(
    ("mode", "state", "applied"),
    [
        ("on", "applied", True),
        ("on", "shadow", False),
        ("on", "fallback", False),
        ("on", "stopped", False),
        ("shadow", "applied", False),
        ("off", "applied", False),
    ],
)
def test_it_is_applied_only_if_the_mode_and_its_state_say_so(
    version, store, bundles, scorer, journal, row, mode, state, applied
):
    """In shadow mode it is recorded, and changes no answer; off, it is not even read."""
    serve(store, bundles[0], mode)
    put(store, correction(version, state=state))
    made, client = scorer
    made.follower.refresh()

    assert ("correction" in client.post("/score", json=row).json) == applied
    assert len(lines(journal, "corrections")) == (mode != "off")
    assert made.state()["online"]["mode"] == mode


def edited(found, **changes):
    return json.dumps(found.to_json() | changes).encode()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda found: found.to_bytes()[:-20], "is not JSON"),
        (lambda found: b"", "is not JSON"),
        (lambda found: b"\xff\xfe", "is not JSON"),
        (lambda found: b"[" * 100_000, "recursion"),
        (lambda found: b"[]", "a correction is an object"),
        (lambda found: b" " * (MAX_BYTES + 1), "it is larger than"),
        (lambda found: edited(found, format=2), "format 2"),
        (lambda found: edited(found, max_shift=0.5), "the correction was edited"),
        (lambda found: edited(found, digest="0" * 12), "the correction was edited"),
        (lambda found: replace(found, version="20260101T0000-abcdefa").to_bytes(), "is about 20260101T0000-abcdefa"),
        (lambda found: replace(found, task="regression").to_bytes(), "its task is regression"),
        (lambda found: replace(found, slices={"nothing": {"a": 1.0}}).to_bytes(), "it has terms for nothing"),
        (lambda found: replace(found, slices={"age": {"a": 1.0}}).to_bytes(), "it has terms for age"),
        (lambda found: replace(found, max_shift=1.5).to_bytes(), "live.toml allows 1"),
        (lambda found: replace(found, made="2026-02-28T11:00:00Z").to_bytes(), "more than a day ago"),
    ],
)
def test_a_bad_file_is_refused_in_a_sentence_and_the_plain_model_goes_on(
    version, store, scorer, journal, row, spoil, why, capfd
):
    """Also where a good one was applied before."""
    made, client = scorer
    put(store, correction(version))
    made.follower.refresh()
    assert "correction" in client.post("/score", json=row).json
    put(store, spoil(correction(version)), version)
    made.follower.refresh()

    assert "correction" not in client.post("/score", json=row).json
    assert why in made.state()["online"]["corrections"][version]["refused"]
    assert why in capfd.readouterr().err
    assert made.state()["ready"]
    assert len(lines(journal, "corrections")) == 1


def test_a_link_is_refused_and_a_file_that_is_removed_is_none(version, store, scorer, tmp_path, row):
    """Whoever may write a file beside the store must not choose what is applied."""
    made, client = scorer
    (tmp_path / "elsewhere.json").write_bytes(correction(version).to_bytes())
    (store.folder / "online").mkdir()
    path = store.folder / "online" / f"{version}.json"
    path.symlink_to(tmp_path / "elsewhere.json")
    made.follower.refresh()
    assert "is a link" in made.state()["online"]["corrections"][version]["refused"]
    path.unlink()
    put(store, correction(version))
    made.follower.refresh()
    assert "correction" in client.post("/score", json=row).json
    path.unlink()
    made.follower.refresh()
    assert "correction" not in client.post("/score", json=row).json


def test_one_that_is_not_renewed_is_dropped_after_a_day(version, store, scorer, clock, row):
    """python -m serve learn has stopped."""
    made, client = scorer
    put(store, correction(version))
    made.follower.refresh()
    clock.pass_by(hours=30)
    made.follower.refresh()

    assert "correction" not in client.post("/score", json=row).json


def test_a_rollback_resets_the_correction(version, store, bundles, scorer, clock, row):
    """One from before the version was replaced is not taken up again."""
    made, client = scorer
    put(store, correction(version))
    made.follower.refresh()
    for bundle in (bundles[1], bundles[0]):  # each live.toml is another file
        clock.pass_by(hours=1)
        serve(store, bundle)
        made.follower.refresh()
        assert "correction" not in client.post("/score", json=row).json
    assert "before the version became live again" in made.state()["online"]["corrections"][version]["refused"]

    put(store, correction(version, made="2026-03-01T14:30:00Z"))
    made.follower.refresh()
    assert "correction" in client.post("/score", json=row).json


def test_one_that_cannot_be_recorded_is_not_applied(version, store, scorer, row, monkeypatch):
    """Every answer of the past can be computed again."""
    made, client = scorer
    made.follower.corrections._record = lambda _: False
    put(store, correction(version))
    made.follower.refresh()
    assert "correction" not in client.post("/score", json=row).json
    assert "the journal cannot be written" in made.state()["online"]["corrections"][version]["refused"]

    made.follower.corrections._record = made.journal.correction
    made.follower.refresh()
    assert "correction" in client.post("/score", json=row).json


def test_the_page_and_the_metrics_show_it(version, store, bundles, scorer):
    """The mode, the digest, since when."""
    made, client = scorer
    found = correction(version)
    put(store, found)
    made.follower.refresh()

    page = client.get("/").text
    assert f"<code>{found.digest}</code>, applied" in page
    metrics = client.get("/metrics").text
    assert f'tidegate_correction_applied{{arm="champion",version="{version}"}} 1.0' in metrics
    assert f'tidegate_correction_age_seconds{{version="{version}"}} 3600.0' in metrics
    serve(store, bundles[0], "shadow")
    made.follower.refresh()
    assert "not applied: mode shadow, state applied" in client.get("/").text


def explained(id_, store, journal):
    """What a person at support types."""
    out = StringIO()
    with redirect_stdout(out):
        code = audit(["explain", id_, "--store", str(store.folder), "--journal", str(journal)])
    return code, out.getvalue()


def test_an_answer_is_explained_and_computed_again(version, store, scorer, journal, row):
    """Each term, the limit, and the features of the model; after the correction was replaced, too."""
    made, client = scorer
    found = correction(version, slices={"device": {"phone": 0.2}}, max_shift=0.4)
    put(store, found)
    made.follower.refresh()
    answer = client.post("/score", json=row | {"id": "a-1"}).json
    put(store, correction(version, intercept=0.1, made="2026-03-01T11:30:00Z"))
    made.follower.refresh()
    client.post("/score", json=row | {"id": "a-2"})

    code, text = explained("a-1", store, journal)
    assert code == 0
    for words in (
        f"by {version} (champion)",
        f"correction: {found.digest}",
        "+0.300000  intercept",
        "+0.200000  device=phone",
        "limit",
        "equal, bit for bit",
        f"returned score: {answer['score']}",
        "the journal has no age",  # private
    ):
        assert words in text
    assert explained("a-2", store, journal)[0] == 0


def test_an_answer_without_a_correction_has_its_features_explained(
    store, scorer, bundles, journal, clock, row, each_task
):
    """Of every task; the fields of this one are all in the journal."""
    manifest = json.loads((each_task / "manifest.json").read_text())
    store.serve(each_task)
    made, client = scorer
    made.follower.refresh()
    answer = client.post("/score", json=row | {"id": "a-1"}).json
    code, text = explained("a-1", store, journal)

    assert code == 0
    assert "correction: none" in text
    private = {*manifest["contract"].get("private", ())} & row.keys() - {"visitor"}
    assert ("against the typical value" in text) == (not private)
    assert answer["version"] in text


def test_an_edited_line_is_not_computed_again(version, store, scorer, journal, row):
    """Said in words, and with the exit code."""
    made, client = scorer
    put(store, correction(version))
    made.follower.refresh()
    client.post("/score", json=row | {"id": "a-1"})
    (path,) = journal.glob("answers-*.jsonl")
    line = json.loads(path.read_text())
    path.write_text(json.dumps(line | {"score": line["score"] + 1e-16 * 4}) + "\n")

    code, text = explained("a-1", store, journal)
    assert (code, "NOT EQUAL" in text) == (1, True)
    (path,) = journal.glob("corrections-*.jsonl")
    path.unlink()
    (store.folder / "online" / f"{version}.json").unlink()
    assert "has the correction" in explained("a-1", store, journal)[1]
    code, text = explained("nothing", store, journal)
    assert (code, "has no answer with the id nothing" in text) == (2, True)


def test_a_line_of_a_correction_has_the_fields_of_the_reference(root, version, store, scorer, journal):
    """And no others."""
    made, _ = scorer
    put(store, correction(version))
    made.follower.refresh()
    (line,) = lines(journal, "corrections")

    page = (root / "docs/reference/journal.md").read_text()
    section = page.partition("\n## Corrections\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [*line]

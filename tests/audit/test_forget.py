"""The erasure of one key's rows: everything of it goes and nothing else, beside a scorer that writes, and after a crash."""

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from archive.parquet import convert
from audit.__main__ import main as audit
from audit.erasure.erased_key import ErasedKey, hashed
from audit.erasure.forget import Places, forget
from audit.erasure.journal_files import JournalFile, erase, listed
from audit.erasure.receipts import receipts
from audit.journal_lines import lines
from bundles.bundle import Bundle
from bundles.manifest import BundleError
from contracts.bundle_content import ERASED
from contracts.live_config import Slot
from forge.bundles.fetched_bundle import problem
from online.journal_reader import JournalReader
from serve.journal.segments import Segment

BUNDLE = next((Path(__file__).parents[1] / "bundles/format-2/multiclass").iterdir())
NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
KEY = "v1/ä"


def answer(n, key=KEY, **more):
    line = {
        "id": f"{key}-{n}",
        "at": f"2026-03-0{1 + n % 3}T12:00:00.000000Z",
        "version": BUNDLE.name,
        "arm": "champion",
    }
    return line | {"key": key, "time": line["at"], "row": {"pages": n}, "score": 0.5} | more


def outcome(id_):
    return {"id": id_, "at": "2026-03-03T12:00:00.000000Z", "outcome": "yes"}


def text(*found):
    return b"".join(json.dumps(line).encode() + b"\n" for line in found)


class Kept:
    """A journal with a copy, a store and a forge."""

    def __init__(self, folder):
        self.folder, self.journal, self.shipped = folder, folder / "journal", folder / "shipped"
        self.store, self.forge, self.cache = folder / "store", folder / "forge", folder / "kept"
        self.journal.mkdir()
        self.forge.mkdir()
        self.count = 0
        (self.journal / "salt").write_bytes(b"salt")

    def put(self, *found, kind="answers", parquet=False):
        self.count += 1
        path = self.journal / f"{kind}-20260301T12{self.count:010}-{self.count:08x}.jsonl"
        path.write_bytes(b"".join(each if isinstance(each, bytes) else text(each) for each in found))
        return convert(path) if parquet else path

    def bundle(self):
        """The bundle in store and forge, with three rows of the key in each file."""
        for place in (self.store / "bundles" / BUNDLE.name, self.forge / "releases" / BUNDLE.name / "bundle"):
            shutil.copytree(BUNDLE, place)
        return pd.read_parquet(BUNDLE / "evidence/holdout.parquet")["visitor"].iloc[0]

    def places(self, **more):
        return Places(self.journal, [self.shipped], [self.store], [self.forge], self.cache, **more)

    def forget(self, key=KEY, *, dry=False, places=None):
        return forget(key, places or self.places(), lambda: NOW, dry=dry)

    def state(self):
        """Every file but receipts, by its content."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and "erased" not in path.relative_to(self.folder).parts
        }

    def ids(self, kind="answers"):
        return sorted(line["id"] for line in lines(self.journal, kind))


@pytest.fixture
def kept(tmp_path):
    return Kept(tmp_path)


@pytest.mark.parametrize("parquet", [False, True])
def test_the_lines_of_the_key_go_and_no_others(kept, parquet):
    """Answers, a shadow's scores, the outcomes of both, and what was cut off; from the copy as well."""
    others = [answer(n, key) for n, key in enumerate(("v1", "v1/ä2", "v2", "V1/Ä"))]
    mine = [answer(n) for n in range(4)]
    private = answer(9, hashed(b"salt", KEY), id="hidden")
    torn = [text(answer(7))[:-9] + b"\n", text(answer(7, "v2"))[:-9] + b"\n", b'{"key": "v1/\xc3\xa4", "ro\n']
    kept.put(*others[:2], *mine[:2], private, others[2], *mine[2:], *torn, others[3], parquet=parquet)
    kept.put(answer(0, arm="shadow"), answer(0, "v2", arm="shadow"), kind="shadow", parquet=parquet)
    ids = [line["id"] for line in (*others, *mine, private)]
    kept.put(*map(outcome, ids), outcome("never answered"), kind="outcomes", parquet=parquet)
    before = {kind: [*lines(kept.journal, kind)] for kind in ("answers", "shadow", "outcomes")}
    shutil.copytree(kept.journal, kept.shipped)

    receipt = kept.forget()

    assert receipt.state == "complete"
    assert sum(receipt.erased.values()) == 2 * (4 + 1 + 2 + 1 + 5)
    gone = {*(line["id"] for line in mine), "hidden"}
    for kind, found in before.items():
        for journal in (kept.journal, kept.shipped):
            assert [*lines(journal, kind)] == [line for line in found if line["id"] not in gone], kind
    left = [content for name, content in kept.state().items() if name.endswith(".jsonl")]
    assert not any(ErasedKey(KEY, [b"salt"]).is_in(content) for content in left)
    (found,) = receipts(kept.journal)
    assert (found.is_about(KEY), found.is_about("v2"), found.has_id("hidden")) == (True, False, True)
    assert KEY not in json.dumps(found.__dict__, ensure_ascii=False)
    assert kept.forget().erased == {}


def test_a_dry_run_counts_and_changes_nothing(kept, capsys):
    """By the command."""
    kept.put(answer(0), answer(0, "v2"))
    kept.put(outcome(f"{KEY}-0"), kind="outcomes", parquet=True)
    before = kept.state()

    assert audit(["forget", KEY, "--journal", str(kept.journal), "--forge", str(kept.forge), "--dry-run"]) == 0
    assert capsys.readouterr().out.count("would erase 1 in") == 2
    assert (kept.state(), [*receipts(kept.journal)]) == (before, [])


def test_a_scorer_goes_on_writing_to_a_segment(kept):
    """Nothing that it acknowledged is missing, and a reader that follows the file reads each other line once."""
    segment = Segment(kept.journal, "answers", NOW, 900, durable=False)
    segment.append(text(answer(0), answer(0, "v2")))
    segment.lines += 2
    reader = JournalReader(str(kept.journal), ())
    read = [line["id"] for portion in reader.portions() for line in portion.lines]
    assert kept.forget().state == "complete"
    assert segment.is_current(NOW)
    assert segment.is_whole()
    segment.append(text(answer(1, "v2")))
    segment.lines += 1
    read += [line["id"] for portion in reader.portions() for line in portion.lines]
    assert segment.missing() == 0
    segment.close()
    assert kept.ids() == ["v2-0", "v2-1"]
    assert read == [f"{KEY}-0", "v2-0", "v2-1"]


def test_lines_that_become_parquet_meanwhile_are_found(kept):
    """A file that was converted after it was listed: the next look reads the new one."""
    path = kept.put(answer(0), answer(0, "v2"))
    (file,) = listed(kept.journal)
    convert(path)
    with pytest.raises(FileNotFoundError):
        erase(file, ErasedKey(KEY), dry=False)
    assert kept.forget().state == "complete"
    assert kept.ids() == ["v2-0"]


def test_what_a_crash_left_is_erased_by_the_next_run(kept):
    """The outcomes are gone and the answers are not; half of a line is overwritten; drafts are left."""
    whole = text(answer(0))
    kept.put(answer(1), b"\n" * 60 + whole[60:], answer(0, "v2"))
    kept.put(outcome("v2-0"), b"\n" * len(text(outcome(f"{KEY}-1"))), kind="outcomes")
    assert kept.forget().state == "complete"
    assert (kept.ids(), kept.ids("outcomes")) == (["v2-0"], ["v2-0"])
    assert not any(b"v1/" in content for content in kept.state().values())


def test_outcomes_that_come_in_later_are_found_by_the_receipt(kept):
    """It has hashes of the answers' ids."""
    kept.put(answer(0))
    kept.forget()
    kept.put(outcome(f"{KEY}-0"), outcome("v2-0"), kind="outcomes", parquet=True)
    assert sum(kept.forget().erased.values()) == 1
    assert kept.ids("outcomes") == ["v2-0"]


def test_rows_go_from_the_evidence_and_the_bundle_is_still_what_was_released(kept):
    """Digest, manifest and everything that is served are the same; only where erased rows are accepted, it is verified."""
    key = kept.bundle()
    place = kept.store / "bundles" / BUNDLE.name
    before = {path.name: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    slot = Slot(BUNDLE.name, Bundle.described(place).digest)

    receipt = kept.forget(key)

    rows = {name: pd.read_parquet(place / f"evidence/{name}.parquet") for name in ("train", "holdout")}
    assert all(key not in {*found["visitor"]} for found in rows.values())
    assert {path.name for path in place.rglob("*") if path.is_file()} == {*before, "erased.json"}
    changed = {
        path.name
        for path in place.rglob("*")
        if before.get(path.name) not in (None, path.is_file() and path.read_bytes())
    }
    assert changed <= {"train.parquet", "holdout.parquet"}
    assert "holdout.parquet" in changed
    assert {Path(each).parts[-1] for each in receipt.erased} == changed
    for folder in (place, kept.forge / "releases" / BUNDLE.name / "bundle"):
        assert problem(folder, slot) == ""
        assert Bundle.load(folder, slot.digest).version == BUNDLE.name
        assert Bundle.load(folder, slot.digest, evidence=True, erased=True).digest == slot.digest
        with pytest.raises(BundleError, match="holdout.parquet has not the digest"):
            Bundle.described(folder, evidence=True)
    # A second key, after which the file has a third digest.
    kept.forget(rows["holdout"]["visitor"].iloc[0])
    assert problem(place, slot) == ""


@pytest.mark.parametrize("name", ["model.onnx", "evidence/evaluation.onnx", "evidence/holdout.parquet"])
def test_the_record_of_erased_rows_allows_nothing_else(kept, name):
    """A model is never accepted with another digest, nor rows with one that the record has not."""
    key = kept.bundle()
    place = kept.store / "bundles" / BUNDLE.name
    kept.forget(key)
    path = place / name
    path.write_bytes(path.read_bytes() + b"x")
    record = place / ERASED
    if name.endswith(".onnx"):
        from contracts.bundle_content import sha256

        record.write_text(json.dumps({name: {"now": [sha256(path.read_bytes())], "rows": 1, "at": ""}}))
    with pytest.raises(BundleError, match="has not the digest"):
        Bundle.described(place, evidence=True, erased=True)
    record.write_text("{")
    with pytest.raises(BundleError, match="erased.json cannot be read"):
        Bundle.described(place, evidence=True, erased=True)


def test_a_crash_between_record_and_rows_leaves_a_bundle_that_is_verified(kept):
    """The old rows have the manifest's digest; the next run erases them."""
    key = kept.bundle()
    place = kept.store / "bundles" / BUNDLE.name
    kept.forget(key)
    shutil.copyfile(BUNDLE / "evidence/holdout.parquet", place / "evidence/holdout.parquet")
    (place / "evidence/.holdout.parquet-work").write_bytes(b"half")
    Bundle.described(place, evidence=True, erased=True)
    assert kept.forget(key).erased.keys() == {str(place / "evidence/holdout.parquet")}
    Bundle.described(place, evidence=True, erased=True)


def test_the_cache_of_monitoring_loses_the_entries_with_the_key(kept):
    """Or with the id of an answer, by which outcomes are kept; and no others. They are read again from the journal."""
    kept.cache.mkdir()
    kept.put(answer(0))
    frames = {
        "answers-1": {"id": ["a"], "key": [KEY]},
        "answers-2": {"id": ["b"], "key": ["v2"]},
        "outcomes-1": {"id": ["b", f"{KEY}-0"], "outcome": [1, 0]},
        "outcomes-2": {"id": ["b"], "outcome": [1]},
    }
    for again in range(2):  # by the ids in the journal, and by those of the first receipt
        for name, columns in frames.items():
            pd.DataFrame(columns).to_parquet(kept.cache / f"{name}.parquet")
            (kept.cache / f"{name}.json").write_text("{}")
        erased = {Path(each).stem: count for each, count in kept.forget().erased.items() if "kept" in each}
        assert erased == {"answers-1": 1, "outcomes-1": 1}, again
        assert {path.stem for path in kept.cache.iterdir()} == {"answers-2", "outcomes-2"}


def test_what_is_left_is_said_and_is_not_complete(kept, capsys):
    """An upload that was not named, a manifest that names the key, a file that cannot be read."""
    kept.bundle()
    manifest = kept.store / "bundles" / BUNDLE.name / "manifest.json"
    found = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(found | {"point_in_time": {"loads": [{"examples": [{"key": KEY}]}]}}))
    (kept.journal / ".shipped").mkdir()
    (kept.journal / ".shipped/state.json").write_text('{"to": "s3://bucket/journal", "left": 0}')
    kept.put(answer(0), parquet=True)[0].write_bytes(b"PAR1 and no more")
    words = ["--journal", str(kept.journal), "--store", str(kept.store), "--forge", str(kept.forge)]

    assert audit(["forget", KEY, *words]) == 1
    out = capsys.readouterr().out
    for each in ("uploaded to s3://bucket/journal", "--shipped", "names the key", "cannot be read", "receipt: "):
        assert each in out
    (receipt,) = receipts(kept.journal)
    assert receipt.state == "incomplete"
    assert len(receipt.left) == 3


@pytest.mark.parametrize(
    ("forge", "said"), [("github:o/n", "their files never change"), ("none", "there is no forge at")]
)
def test_bundles_that_were_not_looked_through_are_said(kept, capsys, forge, said):
    """That nothing was found there is not known."""
    assert audit(["forget", KEY, "--journal", str(kept.journal), "--forge", forge]) == 1
    assert said in capsys.readouterr().out


def test_an_erased_answer_is_said_by_explain_and_at(kept, capsys):
    """It is not that the id never was."""
    kept.put(answer(0), answer(0, "v2"))
    kept.forget()
    words = ["--store", str(kept.store), "--journal", str(kept.journal), "--forge", str(kept.forge)]
    assert audit(["explain", f"{KEY}-0", *words]) == 2
    assert "was erased on request at 2026-03-05T12:00:00Z" in capsys.readouterr().out
    assert audit(["at", "2026-03-02T12:00", *words]) == 0
    assert "1 line of the journal was erased on request" in capsys.readouterr().out


def test_a_key_may_come_from_standard_input(kept, capsys, monkeypatch):
    """So that it is in no list of processes; an empty one is refused, and so is a journal that is not there."""
    read, write = os.pipe()
    os.write(write, f"{KEY}\n".encode())
    os.close(write)
    with os.fdopen(read) as given:
        monkeypatch.setattr("sys.stdin", given)
        kept.put(answer(0))
        assert audit(["forget", "-", "--journal", str(kept.journal), "--forge", str(kept.forge)]) == 0
    assert kept.ids() == []
    assert audit(["forget", "", "--journal", str(kept.journal)]) == 2
    assert audit(["forget", KEY, "--journal", str(kept.folder / "none")]) == 2
    assert "there is no journal" in capsys.readouterr().out


def test_without_a_receipt_nothing_is_erased(kept, capsys):
    """The folder for it cannot be made."""
    kept.put(answer(0))
    (kept.journal / "erased").write_text("")
    assert audit(["forget", KEY, "--journal", str(kept.journal), "--forge", str(kept.forge)]) == 2
    assert "error: " in capsys.readouterr().out
    assert kept.ids() == [f"{KEY}-0"]


def test_a_file_that_cannot_be_read_is_an_error_in_words(kept, capsys):
    """Of every command that reads the journal."""
    kept.put(answer(0), parquet=True)[0].write_bytes(b"PAR1 and no more")
    words = ["--store", str(kept.store), "--journal", str(kept.journal), "--forge", str(kept.forge)]
    for command in (["at", "2026-03-02"], ["explain", "a"]):
        assert audit([*command, *words]) == 2
        assert "is not a file of the journal" in capsys.readouterr().out


def test_only_kinds_with_rows_are_looked_through(kept):
    """Counts and corrections have no key."""
    for kind in ("answers", "corrections", "outcomes", "service", "shadow"):
        kept.put(answer(0), kind=kind)
    assert [each.kind for each in listed(kept.journal)] == ["answers", "outcomes", "shadow"]
    assert all(isinstance(each, JournalFile) and each.is_segment for each in listed(kept.journal))

"""What the repository says of the past: roles, refusals, verdicts and pull requests; and the same from a real forge."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archive.parquet import convert
from audit.__main__ import main as audit
from audit.repository_record import Record, proposal_of, roles_at, verdict_on, withdrawn_at
from contracts.live_config import LIVE, Change, Live, Slot, with_champion
from forge.interface import Alert, Proposal, Release
from forge.local.folder_forge import LocalForge

BUNDLES = sorted((Path(__file__).parents[1] / "bundles/format-2/binary").iterdir())
A, B, C = (Slot(f"20260{n}01T0000-abcdef{n}", "sha256:" + f"{n}" * 64) for n in (1, 2, 3))


def change(day, live, message=""):
    return Change(f"{day:040}", f"2026-03-{day:02}T12:00:00+01:00", message, live.to_toml(), "Robin")


#: Newest first.
HISTORY = [
    change(9, Live(B), "Release again (#9)"),
    change(7, Live(A), f"Roll back to {A.version}: worse"),
    change(5, Live(B, Slot(C.version, C.digest, mode="shadow")), "Try"),
    change(3, Live(B), "Release"),
    change(1, Live(A), "First"),
]


def march(day, hour=12):
    return datetime(2026, 3, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("when", "roles", "refused"),
    [
        (march(1, 10), {}, []),
        (march(1, 11), {"champion": A}, []),
        (march(4), {"champion": B}, []),
        (march(6), {"champion": B, "challenger": Slot(C.version, C.digest, mode="shadow")}, []),
        (march(8), {"champion": A}, [B.version]),
        (march(10), {"champion": B}, []),
    ],
)
def test_roles_and_refusals_of_a_time(when, roles, refused):
    """To the second of the commit; a version is refused until its rollback is undone."""
    record = Record(HISTORY)
    assert {each.role: each.slot for each in roles_at(record, when)} == roles
    assert [version for version, _ in withdrawn_at(record, when)] == refused


def test_a_refusal_names_its_incident():
    """Where the forge has one."""
    incident = Alert(7, f"incident:{B.version}", "Rolled back", "", "closed", (), link="#7")
    ((_, words),) = withdrawn_at(Record(HISTORY, alerts=[incident]), march(8))
    assert words == f"withdrawn 2026-03-07T12:00:00+01:00, rolled back to {A.version}: worse (incident #7)"


@pytest.mark.parametrize(
    ("notes", "verdict"),
    [
        ("## ✅ PROMOTE\n\n**It gains 0.01.**\n", "PROMOTE: It gains 0.01."),
        ("Withdrawn: it was worse\n\n## ✅ PROMOTE\n\n**It gains 0.01.**\n", "PROMOTE: It gains 0.01."),
        (
            "> **Override:** a person merged this; the verdict was HOLD: urgent\n\n## ✋ HOLD\n\n**Too few rows.**\n",
            "HOLD: Too few rows.; merged by a person against it",
        ),
        ("A note by a person.\n", ""),
    ],
)
def test_the_verdict_is_in_the_notes_of_the_release(notes, verdict):
    """Also below the remarks of a rollback, and of a person who overrode it."""
    record = Record(releases=[Release(A.version, A.digest, "published", notes, "2026-03-01T00:00:00Z")])
    assert verdict_on(record, A.version) == verdict
    assert verdict_on(record, B.version) == ""


def test_the_pull_request_is_that_of_the_change():
    """Of two about a version, the one whose title became the commit's message; else the number in the message."""
    titles = [f"Roll back to {A.version}: worse", f"buys {A.version}"]
    proposals = [Proposal(n, "b", title, "", "merged", "", (), None, {}, (), f"#{n}") for n, title in enumerate(titles)]
    record = Record(proposals=proposals)
    first, *_, last = HISTORY[::-1]
    assert proposal_of(record, A.version, HISTORY[1]) == f"#0 ({titles[0]})"
    assert proposal_of(record, A.version, first).startswith("#0")
    assert proposal_of(Record(), B.version, last) == "#9"
    assert proposal_of(Record(), A.version, first) == ""


def test_a_forge_and_parquet_files_are_read(tmp_path, capsys):
    """A release with its verdict on a forge in a folder, and answers in Parquet; the bundle is not in the store."""
    bundle = BUNDLES[0]
    manifest = json.loads((bundle / "manifest.json").read_text())
    version, digest = manifest["version"], manifest["digest"]
    forge = LocalForge(tmp_path / "forge")
    forge.upload(version, bundle)
    forge.propose("retrain", f"buys {version}", "", {LIVE: with_champion(Live(), version, digest).to_toml()})
    forge.status("retrain", True, "PROMOTE")
    forge.merge("retrain", f"buys {version}")
    forge.describe(version, "## ✅ PROMOTE\n\n**The first model.**\n")
    row = manifest["golden"]["rows"][0]
    line = {"id": "a-1", "version": version, "arm": "champion", "key": "k", "row": row, "score": 0.5}
    journal = tmp_path / "journal"
    journal.mkdir()
    for hour in (8, 9):
        segment = journal / f"answers-20261101T{hour:02}0000000000-00.jsonl"
        at = f"2026-11-01T{hour:02}:00:00.000000Z"
        segment.write_text(json.dumps(line | {"id": f"a-{hour}", "at": at, "time": at}) + "\n")
        convert(segment)

    places = ["--store", str(tmp_path), "--journal", str(journal), "--forge", str(tmp_path / "forge")]
    assert audit(["at", "2999-01-01", *places]) == 0
    assert "in the future" in capsys.readouterr().out
    assert audit(["at", "--id", "a-9", *places]) == 1
    text = capsys.readouterr().out
    assert f"champion {version}: answered from 2026-11-01 08:00:00 until 2026-11-01 09:00:00 (2 answers)" in text
    assert "for this row alone: NOT what is in the journal" in text
    shutil.rmtree(journal / "day=2026-11-01")
    assert audit(["at", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}", *places]) == 0
    text = capsys.readouterr().out
    for words in ("the journal has no answers", "verdict: PROMOTE: The first model.", f"proposal 1 (buys {version})"):
        assert words in text

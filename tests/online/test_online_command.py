"""The command that updates the correction: it reads what is new, and writes a file that is whole."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archive.parquet import convert
from contracts.live_config import BUNDLES, Live, Slot
from contracts.live_tables import Online
from online.__main__ import Session, _parser, main
from online.correction import Correction
from tests.online.journals import START, VERSION, contract, stream

ROOT = Path(__file__).parents[2]
ANSWERS, OUTCOMES = stream(hours=30)


def store_at(folder, version=VERSION, mode="shadow"):
    """A store with a champion."""
    (folder / BUNDLES / version).mkdir(parents=True, exist_ok=True)
    manifest = {"version": version, "task": "binary", "contract": contract().to_json()}
    (folder / BUNDLES / version / "manifest.json").write_text(json.dumps(manifest))
    live = Live(Slot(version, "sha256:" + "0" * 64), online=Online(mode))
    (folder / "live.toml").write_text(live.to_toml())
    return folder


def segments(folder, lines, kind, until=10**9, every=6):
    """Write the lines of the first *until* hours as segments of some hours each."""
    folder.mkdir(exist_ok=True)
    for line in lines:
        moment = datetime.fromisoformat(line["at"])
        hour = int((moment - START).total_seconds() // 3600)
        if hour < until:
            begun = START + timedelta(hours=hour // every * every)
            with (folder / f"{kind}-{begun:%Y%m%dT%H%M%S%f}-0.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")


def journal_at(folder, until=10**9):
    """The journal of the first *until* hours."""
    for path in folder.glob("*.jsonl") if folder.is_dir() else ():
        path.unlink()
    for kind, lines in (("answers", ANSWERS), ("outcomes", OUTCOMES)):
        segments(folder, lines, kind, until)
    return folder


def arguments(store, journal, *more):
    return ["learn", "--store", str(store), "--journal", str(journal), "--once", *more]


def effect(store, version=VERSION):
    found = json.loads((store / "online" / f"{version}.json").read_text())
    return {key: value for key, value in found.items() if key != "made"}


def test_a_run_from_the_beginning_equals_one_that_went_on(tmp_path, capsys):
    journal = journal_at(tmp_path / "journal", 9)
    going, fresh = store_at(tmp_path / "a"), store_at(tmp_path / "b")
    session = Session(_parser().parse_args(arguments(going, journal)))
    for until in (9, 10, 23, 30):
        journal_at(journal, until)
        session.look(START + timedelta(hours=until, minutes=10))

    code = main(arguments(fresh, journal, "--until", "2026-03-02T06:10:00Z"))

    assert code == 0
    assert effect(going) == effect(fresh)
    assert effect(going)["until"] == "2026-03-02T06:00:00Z"
    assert "outcomes up to 2026-03-02T06:00:00Z, applied: it gains" in capsys.readouterr().out


def test_the_scorer_reads_what_is_written(tmp_path):
    store = store_at(tmp_path / "store")
    main(arguments(store, journal_at(tmp_path / "journal"), "--until", "2026-03-02T06:10:00Z"))

    found = json.loads((store / "online" / f"{VERSION}.json").read_text())

    assert Correction.from_json(found).slices["place"]["b"] > 0.1
    assert found["evidence"]["rows"] > 1000
    assert [path.name for path in (store / "online").iterdir()] == [f"{VERSION}.json"]


def test_an_incomplete_line_is_read_when_it_is_whole(tmp_path):
    store, journal = store_at(tmp_path / "store"), journal_at(tmp_path / "journal", 4)
    session = Session(_parser().parse_args(arguments(store, journal)))
    path = journal / "outcomes-20260301T000000000000-0.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    session.look(START + timedelta(hours=3))
    path.write_bytes(whole)
    session.look(START + timedelta(hours=4, minutes=6))

    main(arguments(store_at(tmp_path / "other"), journal, "--until", "2026-03-01T04:06:00Z"))

    assert effect(store) == effect(tmp_path / "other")


def test_lines_that_came_late_are_used_after_all_is_read_again(tmp_path, capsys):
    store, journal = store_at(tmp_path / "store"), tmp_path / "journal"
    segments(journal, ANSWERS, "answers")
    session = Session(_parser().parse_args(arguments(store, journal)))
    session.look(START + timedelta(hours=30, minutes=6))
    segments(journal, OUTCOMES, "outcomes")
    session.look(START + timedelta(hours=31, minutes=6))

    main(arguments(store_at(tmp_path / "other"), journal, "--until", "2026-03-02T07:06:00Z"))

    assert effect(store) == effect(tmp_path / "other")
    assert "lines came after their hour was over" in capsys.readouterr().err


def test_a_new_champion_gets_its_file_before_it_answers(tmp_path):
    store, journal = store_at(tmp_path / "store"), journal_at(tmp_path / "journal")
    session = Session(_parser().parse_args(arguments(store, journal)))
    session.look(START + timedelta(hours=30, minutes=6))
    newer = "20260302T0300-0123456789ab"
    store_at(store, newer)

    assert session.look(START + timedelta(hours=30, minutes=7))
    assert effect(store, newer)["terms"]["intercept"] == pytest.approx(
        0.7 * effect(store)["terms"]["intercept"], abs=1e-6
    )


def test_off_writes_nothing(tmp_path):
    store = store_at(tmp_path / "store", mode="off")

    assert main(arguments(store, journal_at(tmp_path / "journal"))) == 0
    assert not (store / "online").exists()


def test_another_store_is_followed(tmp_path, capsys):
    first, second = store_at(tmp_path / "a"), store_at(tmp_path / "b")
    main(arguments(first, journal_at(tmp_path / "journal"), "--until", "2026-03-02T06:10:00Z"))
    follow = ["learn", "--store", str(second), "--follow", str(first), "--once"]

    assert [main(follow), main(follow)] == [0, 0]
    assert effect(first) == effect(second)
    (first / "online" / f"{VERSION}.json").write_text(
        (first / "online" / f"{VERSION}.json").read_text().replace('"intercept":', '"intercept":1')
    )
    assert main(follow) == 8
    assert "was edited" in capsys.readouterr().err
    assert Correction.from_json(json.loads((second / "online" / f"{VERSION}.json").read_text()))


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        ([], 2, "expected --journal DIR, or --follow DIR"),
        (["--journal", "/nowhere", "--follow", "/x"], 2, "expected --journal"),
        (["--journal", "/nowhere", "--once"], 8, "live.toml cannot be read"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, capsys, more, code, says):
    assert main(["learn", "--store", str(tmp_path), *more]) == code
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("manifest", ["{", "[]", "{}", '{"contract": {}}', '{"contract": 3}'])
def test_a_manifest_that_cannot_be_read_is_one_sentence(tmp_path, capsys, manifest):
    store = store_at(tmp_path / "store")
    (store / BUNDLES / VERSION / "manifest.json").write_text(manifest)

    assert main(arguments(store, tmp_path / "journal")) == 8
    assert "manifest" in capsys.readouterr().err


def test_serve_update_is_the_same_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "serve", "learn", "--store", str(tmp_path), "--journal", "x", "--once"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 8
    assert "live.toml cannot be read" in done.stderr


def test_parquet_files_are_read_like_the_segments_they_replace(tmp_path):
    store, journal = store_at(tmp_path / "store"), journal_at(tmp_path / "journal", 20)
    session = Session(_parser().parse_args(arguments(store, journal)))
    session.look(START + timedelta(hours=17))
    journal_at(journal)
    for path in sorted(journal.glob("*.jsonl"))[:-2]:
        convert(path)
    session.look(START + timedelta(hours=30, minutes=10))

    main(arguments(store_at(tmp_path / "other"), journal_at(tmp_path / "plain"), "--until", "2026-03-02T06:10:00Z"))

    assert effect(store) == effect(tmp_path / "other")


def test_now_is_used_without_until(tmp_path):
    store = store_at(tmp_path / "store")
    main(arguments(store, journal_at(tmp_path / "journal"), "--since", "2026-03-01T12:00:00Z"))

    assert datetime.fromisoformat(effect(store)["until"]) > datetime.now(UTC) - timedelta(hours=2)

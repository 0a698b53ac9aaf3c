"""Each day of an experiment is read once, and what is kept of it gives what reading all again would."""

import json
import random
from collections import defaultdict
from datetime import timedelta
from itertools import count
from typing import ClassVar

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from archive.parquet import convert
from contracts.journal_format import Folder
from monitoring.experiment.aggregates import LABELLED
from monitoring.experiment.day_sums import delete_kept_days, read_sums
from monitoring.journal.frame_store import FrameStore
from serve.traffic.split import fraction, point
from tests.monitoring.experiment.conftest import MONDAY, NEW, OLD, SHADOW, a_journal, a_split, read_request

pytestmark = pytest.mark.slow

SPLIT = a_split()
VERSIONS = {"champion": OLD, "challenger": NEW}


def at(hours):
    return (MONDAY + timedelta(hours=hours)).isoformat()


def lines_of(seed, split, days, keys=9, rows=60):
    """Rows of keys that return, ids that return, outcomes that come late, twice or never."""
    rng, answers, outcomes, shadow = random.Random(seed), [], [], []
    for number in range(rows):
        key, hours = f"visitor {rng.randrange(keys)}", rng.random() * 24 * days
        share = fraction(point("buys", key))
        arm = "challenger" if share >= 0.5 and not split.shadow else "champion"
        if rng.random() < 0.05 and not split.shadow:
            arm = {"champion": "challenger", "challenger": "champion"}[arm]
        line = {
            "id": f"{key} {number}" if rng.random() < 0.9 else f"{key} again",
            "at": at(hours),
            "time": at(hours),
            "version": VERSIONS[arm],
            "arm": arm,
            "key": key,
            "row": {"pages": rng.choice([1, 2.5, None]), "device": rng.choice(["phone", "desk"])},
            "score": round(rng.random(), 3),
            "share": 0.5,
            "split": share,
        }
        answers.append(line)
        if rng.random() < 0.8:
            score = {"arm": "shadow", "version": NEW, "score": round(rng.random(), 3)}
            shadow.append(line | score | {"at": at(hours + 0.01)})
        for _ in range(rng.choice([0, 1, 1, 2])):
            found = at(hours + rng.expovariate(1 / 20))
            outcome = rng.choice(["no", "yes", "perhaps"])
            outcomes.append({"id": line["id"], "outcome": outcome, "at": found})
    return {"answers": answers, "outcomes": outcomes, "shadow": shadow if split.shadow else []}


class Scorer:
    """Writes the lines of each day into its own segment, and converts it, or not yet."""

    def __init__(self, folder):
        self.folder, self._numbers = folder, count()
        folder.mkdir(exist_ok=True)

    def write(self, lines, start, end):
        """The lines of these hours; a segment of each kind."""
        for kind, each in lines.items():
            now = [line for line in each if at(start) <= line["at"] < at(end)]
            path = self.folder / f"{kind}-20260302T0000{next(self._numbers):08}.jsonl"
            path.write_text("".join(json.dumps(line) + "\n" for line in now))

    def put_away(self):
        for path in sorted(self.folder.glob("*.jsonl")):
            convert(path)


def by_hand(lines, unit_days, days):
    """Per day: units, those with an outcome, and the sum of their first outcomes' means, by arm."""
    rows = defaultdict(list)
    for line in sorted(lines["answers"], key=lambda each: each["at"]):
        rows[line["key"]].append(line)
    found = [defaultdict(float) for _ in range(days)]
    for those in rows.values():
        over = (MONDAY.fromisoformat(those[0]["at"]) + timedelta(days=unit_days)).isoformat()
        day = (MONDAY.fromisoformat(those[0]["at"]) - MONDAY).days
        mine = {each["id"]: each for each in reversed(those) if each["at"] < over}
        if day >= days or len({each["arm"] for each in mine.values()}) > 1:
            continue
        seen = {}
        for each in sorted(lines["outcomes"], key=lambda each: each["at"]):
            early = each["at"] < at(24 * day) or each["outcome"] == "perhaps"
            if each["id"] in mine and not early and each["at"] < over:
                seen.setdefault(each["id"], float(each["outcome"] == "yes"))
        arm = those[0]["arm"]
        found[day]["units", arm] += 1
        if seen:
            found[day]["labelled", arm] += 1
            found[day]["outcome", arm] += sum(seen.values()) / len(seen)
    return found


def flat(found):
    """The numbers in plain values, each with where it is."""
    if isinstance(found, dict):
        return {(name, *at): v for name, each in found.items() for at, v in flat(each).items()}
    if isinstance(found, list | tuple):
        return {(n, *at): v for n, each in enumerate(found) for at, v in flat(each).items()}
    return {(): found}


@settings(max_examples=5, phases=[Phase.generate])  # to shrink one would take minutes
@given(seed=st.integers(0, 10**6), unit_days=st.integers(1, 2), shadow=st.booleans(), waits=st.sets(st.integers(0, 5)))
def test_kept_days_give_what_reading_all_again_gives(tmp_path_factory, seed, unit_days, shadow, waits):
    """Morning after morning: keys that return, late outcomes, segments converted a day later, a file that comes late."""
    split, days = SHADOW if shadow else SPLIT, 5
    folder = tmp_path_factory.mktemp("any")
    scorer, kept = Scorer(folder / "journal"), FrameStore(folder / "kept")
    lines, late = lines_of(seed, split, days), lines_of(seed + 1, split, days, keys=20, rows=6)
    more = {"measures": ("brier",) if shadow else ("outcome", "brier"), "unit_days": unit_days}

    def seen(store, morning):
        wanted = read_request(split, morning, features=("pages", "device"), **more)
        return read_sums(scorer.folder, wanted, store)

    for morning in range(1, days + 3):
        scorer.write(lines, 24 * (morning - 1), 24 * morning)
        if morning == 4:  # another scorer's, of all days so far
            scorer.write(late, 0, 24 * 99)
        if morning - 1 not in waits:
            scorer.put_away()
        found = seen(kept, morning)
        if morning in {3, 5, days + 2}:
            again = seen(FrameStore(None), morning)
            assert flat(found.to_json()) == pytest.approx(flat(again.to_json()))

    every = {kind: [*lines[kind], *late[kind]] for kind in lines}
    if not shadow:
        for n, day in enumerate(by_hand(every, unit_days, found.days)):
            units, known = found.units.sums(LABELLED, found.days), found.known
            for which, arm in enumerate(VERSIONS):
                assert units[n, which] == day["units", arm]
                assert units[n, 2 + which] == day["labelled", arm]
                sums = known.sums("outcome", found.days)
                assert sums[n, 2 + which] == pytest.approx(day["outcome", arm])


class Counting(Folder):
    """A folder that counts what is opened."""

    opened: ClassVar[list[str]] = []

    def open(self, name):
        self.opened.append(name)
        return super().open(name)


@pytest.fixture
def opened(journal, tmp_path):
    """A run on the *days*-th morning with what was kept: the sums, and the days that were opened."""
    a_journal(journal, SPLIT, 8, 20)
    for path in journal.glob("*.jsonl"):
        convert(path)
    store = FrameStore(tmp_path / "kept")

    def opened(days, split=SPLIT):
        place = Counting(journal)
        place.opened.clear()
        found = read_sums(place, read_request(split, days), store)
        return found, sorted({name[12:14] for name in place.opened})

    return opened


def test_a_day_is_opened_when_it_is_over_and_never_again(opened):
    """With the day after it, on which its last units end."""
    assert opened(4)[1] == ["02", "03", "04", "05"]
    assert opened(4)[1] == []
    assert opened(5)[1] == ["05", "06"]


def test_a_file_that_comes_late_makes_its_days_be_read_again(opened, journal):
    """And those after them, for a key that is no longer new there; none before."""
    opened(6)
    (journal / "outcomes-9.jsonl").write_text(json.dumps({"id": "x", "at": at(30)}) + "\n")
    convert(journal / "outcomes-9.jsonl")

    assert opened(6)[1] == ["02", "03", "04", "05", "06", "07"]
    (journal / "outcomes-8.jsonl").write_text(json.dumps({"id": "x", "at": at(101)}) + "\n")
    convert(journal / "outcomes-8.jsonl")
    assert opened(6)[1] == ["05", "06", "07"]


@pytest.mark.parametrize("end", ["json", "parquet"])
@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_text("{}")])
def test_what_was_lost_of_the_kept_days_is_read_again(opened, tmp_path, end, spoil):
    """Gone, or half written by another hand."""
    whole = opened(6)[0].to_json()
    for path in (tmp_path / "kept").glob(f"*-2026-03-04-*.{end}"):
        spoil(path)
    found, _ = opened(6)

    assert flat(found.to_json()) == pytest.approx(flat(whole))
    assert flat(opened(7)[0].to_json())[("days",)] == 6


def test_of_another_experiment_nothing_is_kept(opened, tmp_path):
    """Another salt splits the keys differently; and when it is over, nothing is left."""
    opened(6)
    before = {path.name for path in (tmp_path / "kept").iterdir()}
    opened(6, a_split(salt="other"))
    after = {path.name for path in (tmp_path / "kept").iterdir()}

    assert len(before) == len(after) == 2 * 5
    assert before & after == set()
    delete_kept_days(FrameStore(tmp_path / "kept"))
    assert list((tmp_path / "kept").iterdir()) == []


def test_what_left_the_journal_is_not_kept(opened, journal, tmp_path):
    """Rows that were deleted from the journal are nowhere else either."""
    opened(6)
    first = {path.name for path in (tmp_path / "kept").glob("experiment-2026-03-02-*")}
    for path in (journal / "day=2026-03-02").glob("kind=*/*.parquet"):
        path.unlink()
    found, _ = opened(6)

    assert found.units.sums(LABELLED, 5)[:, :2].sum(axis=1).tolist() == [0, 20, 20, 20, 20]
    assert first & {path.name for path in (tmp_path / "kept").iterdir()} == set()

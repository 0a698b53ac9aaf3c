"""How the scorers answered, from their own counts: a slow release is an incident, a quiet month is not."""

import json
import math
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from archive.parquet import convert
from monitoring.charts.charting import charts, signals_of
from monitoring.charts.signals import Signal
from monitoring.incidents.alert_rules import assess
from monitoring.journal.service_history import Served, quantile, read_days, served
from monitoring.journal.window import JournalError, read_window
from monitoring.measure import measure_window
from monitoring.metrics.service_metrics import Counts
from monitoring.metrics.volume import RECENT_DAYS
from tests.monitoring.conftest import reading

pytestmark = pytest.mark.slow

FIRST = date(2026, 1, 1)
OLD, NEW = "20260101T0317-aaaaaaa", "20260128T0317-bbbbbbb"
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)


def line(day, version=OLD, answers=(0, 980, 0, 0, 20, 0, 0, 0), failed=0, refused=0, hour=12):
    """A worker's, of some minutes of the *day*."""
    return {
        "at": f"{day}T{hour:02}:00:00.000000Z",
        "until": f"{day}T{hour:02}:05:00.000000Z",
        "version": version,
        "answered": sum(answers),
        "refused": refused,
        "failed": failed,
        "bounds": BOUNDS,
        "answers": [float(count) for count in answers],
    }


def day(n):
    return (FIRST + timedelta(days=n)).isoformat()


def month(days=35, release=99, slow=(0, 500, 0, 0, 0, 0, 500, 0), random=None, **more):
    """Lines of a month: what is released on a day is *slow* from then on."""
    random = random or np.random.default_rng(3)
    found = []
    for n in range(days):
        usual = (0, int(random.integers(960, 990)), 0, 0, int(random.integers(10, 30)), 0, 0, 0)
        new = n >= release
        found.append(line(day(n), NEW if new else OLD, slow if new else usual, **more))
    return found


def write(folder, lines, name="20260101T120000000000-1"):
    folder.mkdir(exist_ok=True)
    path = folder / f"service-{name}.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return path


def judged(folder, rules, version, until=None):
    found = served(read_days(folder, rules.window_days, until), version, rules)
    placed = charts([(found.before, found.now)], {}, rules)
    return [signal for chart in placed for signal in signals_of(chart, rules)], found


def beyond(signals):
    return {(s.kind, s.metric, s.day) for s in signals if s.breached}


@pytest.mark.parametrize(
    ("seconds", "share", "expected"),
    [
        ({0.001: 0, 0.01: 100, math.inf: 0}, 0.5, math.sqrt(0.001 * 0.01)),
        ({0.001: 0, 0.01: 100, math.inf: 0}, 1.0, 0.01),
        ({0.001: 99, 0.01: 1, math.inf: 0}, 0.99, 0.001),
        ({0.001: 98, 0.004: 2, math.inf: 0}, 0.99, 0.002),
        ({0.001: 50, 0.01: 0, 0.1: 50}, 0.75, 0.01 * 10**0.5),
        ({0.001: 100, math.inf: 0}, 1.0, 0.001),
        ({0.001: 100, math.inf: 0}, 0.5, 0.001 / math.sqrt(2)),
        ({0.001: 1, math.inf: 99}, 0.99, 0.001),
        ({0.001: 0, math.inf: 0}, 0.5, math.nan),
        ({}, 0.5, math.nan),
    ],
    ids=[
        "half way, by factors",
        "the end of a bucket",
        "at a bound",
        "within the next",
        "over an empty bucket",
        "all in the first",
        "half of the first",
        "beyond the last",
        "none",
        "no bucket",
    ],
)
def test_a_quantile_lies_within_its_bucket(seconds, share, expected):
    """As Prometheus interpolates bounds that grow by factors."""
    assert quantile(seconds, share) == pytest.approx(expected, nan_ok=True)


def test_a_quantile_never_falls_and_is_the_true_one_but_for_its_bucket():
    """Of times drawn from what latencies look like."""
    times = np.random.default_rng(1).lognormal(-6, 1, 5000)
    bounds = [1e-4 * 2**n for n in range(14)]
    places = Counter(np.searchsorted(bounds, times).tolist())
    seconds = {bound: places[n] for n, bound in enumerate([*bounds, math.inf])}
    found = [quantile(seconds, share) for share in np.linspace(0.01, 0.99, 99)]

    assert found == sorted(found)
    assert found == pytest.approx(np.quantile(times, np.linspace(0.01, 0.99, 99)), rel=0.25)


def test_lines_of_all_workers_are_a_day(journal):
    """Empty buckets among them; what is torn or of another hand is left out."""
    some = [line(day(0)), line(day(0), answers=(0, 10, 0, 0, 0, 0, 0, 5), failed=3, refused=2, hour=13)]
    path = write(journal, [*some, line(day(0), NEW)])
    odd = [
        {},
        {"at": 1},
        line("2026-13-01"),
        line(day(0)) | {"answers": [1.0]},
        line(day(0)) | {"failed": -1},
        line(day(0)) | {"bounds": [0.0] * 7},
        line(day(0)) | {"answers": None},
        [],
    ]
    path.write_text(path.read_text() + "".join(json.dumps(each) + "\n" for each in odd) + '{"at": "20')
    found = read_days(journal, 35, None)

    assert {day: sorted(by_version) for day, by_version in found.items()} == {day(0): [OLD, NEW]}
    counts = found[day(0)][OLD]
    assert counts.statuses == {"2xx": 1015, "4xx": 2, "5xx": 3}
    assert dict(counts.seconds) == {0.001: 0, 0.0025: 990, 0.005: 0, 0.01: 0, 0.025: 20, 0.05: 0, 0.1: 0, math.inf: 5}


def test_days_that_were_put_away_are_the_same_days(journal):
    """Columns of Parquet, one file a day."""
    path = write(journal, month(5))
    before = read_days(journal, 35, None)
    made = convert(path)

    assert len(made) == 5
    assert made[0].parent.name == "kind=service"
    assert read_days(journal, 35, None) == before


def test_a_closed_day_is_read_once(journal, tmp_path):
    """Until another file comes to it, it leaves the journal, or what is kept is no more what was."""
    kept = tmp_path / "kept"
    for path in (write(journal, month(3)), write(journal, month(2), "20260101T130000000000-2")):
        convert(path)
    files = sorted(journal.glob("day=*/*/*.parquet"))
    before = read_days(journal, 35, None, kept)
    contents = {path: path.read_bytes() for path in files}
    for path in files:
        path.write_bytes(b"")
    assert read_days(journal, 35, None, kept) == before
    assert [each.name[:18] for each in sorted(kept.glob("*.json"))] == [f"service-{day(n)}" for n in range(3)]

    for path, content in contents.items():
        path.write_bytes(content)
    next(kept.glob(f"service-{day(1)}*.json")).write_text("[[1]]")
    assert read_days(journal, 35, None, kept) == before
    convert(write(journal, [line(day(2), NEW)], "20260103T130000000000-3"))
    assert read_days(journal, 35, None, kept)[day(2)].keys() == {OLD, NEW}
    for path in files[:2]:
        path.unlink()
    assert len(read_days(journal, 35, None, kept)) == 2
    assert len([*kept.glob("*.json")]) == len([*kept.glob("*.parquet")]) == 2


def test_only_the_days_that_are_asked_for_are_there(journal):
    """Back from the newest, or from the day that it is to be."""
    convert(write(journal, month(20)))
    write(journal, [line(day(20))], "20260121T120000000000-2")

    assert list(read_days(journal, 3, None)) == [day(n) for n in (17, 18, 19, 20)]
    assert list(read_days(journal, 3, pd.Timestamp(day(10), tz="UTC"))) == [day(n) for n in (6, 7, 8, 9)]
    with pytest.raises(JournalError, match="there is no journal"):
        read_days(journal / "nowhere", 3, None)


def test_a_quiet_month_is_quiet(journal, rules):
    """The last two weeks, against the weeks before."""
    write(journal, month())
    signals, found = judged(journal, rules, OLD)

    assert found.unknown == []
    assert {(s.kind, s.metric) for s in signals} == {("latency", "p50"), ("latency", "p99"), ("errors", "share")}
    assert {s.severity for s in signals} == {"page"}
    assert min(s.day for s in signals) == day(35 - RECENT_DAYS)
    assert beyond(signals) == set()


def test_a_slow_release_is_seen_on_its_first_day(journal, rules):
    """It has no better days itself: it is held against those of the version before."""
    write(journal, [*month(release=33), line(day(33), OLD)])
    signals, found = judged(journal, rules, NEW)

    assert {s.day for s in signals} == {day(33), day(34)}
    assert ("latency", "p99", day(33)) in beyond(signals)
    assert max(each.day for each in found.before) == day(32)
    (p99,) = [s for s in signals if (s.metric, s.day) == ("p99", day(34))]
    assert p99.formatted(p99.value) == "98.6 ms"
    assert assess(signals, (), rules).severity == "page"
    assert not found.was_so(p99)


def test_requests_that_fail_are_seen(journal, rules):
    """Though none of them has an answer whose time is known."""
    lines = [*month(33), *(line(day(n), answers=(0,) * 8, failed=1000) for n in (33, 34))]
    write(journal, lines)
    signals, _ = judged(journal, rules, OLD)

    assert beyond(signals) == {("errors", "share", day(n)) for n in (33, 34)}


def test_what_was_slow_before_a_release_is_not_the_releases_fault(journal, rules):
    """The machine has had a noisy neighbour since the day before."""
    lines = month(release=33, slow=(0, 500, 0, 0, 0, 0, 500, 0))
    lines[32] = line(day(32), OLD, (0, 500, 0, 0, 0, 0, 0, 500))
    write(journal, lines)
    _, found = judged(journal, rules, NEW)
    signal = Signal("latency", "p99", "", day(34), 90.0, 20.0, None, 60.0, 1000)

    assert found.was_so(signal)
    assert not found.was_so(replace(signal, upper=None))
    assert not found.was_so(replace(signal, kind="errors", metric="share", upper=0.01))
    assert not Served([], [], [], []).was_so(signal)


@pytest.mark.parametrize(
    ("change", "beyond_limits"),
    [
        ((0, 0, 960, 0, 0, 20, 20, 0), {"p50", "p99"}),
        ((0, 0, 980, 0, 20, 0, 0, 0), set()),
        ((980, 0, 0, 0, 20, 0, 0, 0), set()),
    ],
    ids=[
        "everybody waits for twice as long, the slowest for longer than that",
        "of what is fast enough anyhow",
        "faster",
    ],
)
def test_a_small_change_is_no_alarm(journal, rules, change, beyond_limits):
    """Twice as long as a millisecond and a half is fast, and nobody minds what is faster than usual."""
    write(journal, month(release=33, slow=change))
    loose = replace(rules, min_slow=2.5)
    signals, _ = judged(journal, loose if beyond_limits else rules, NEW)

    assert {metric for _, metric, _ in beyond(signals)} == beyond_limits


def test_a_day_with_too_few_requests_gives_no_verdict_on_latency(journal, rules):
    """Nor does one that has just begun, nor a version that has just come; errors are counted on every day."""
    lines = month(34)
    lines[30] = line(day(30), answers=(0, 0, 0, 0, 0, 0, 0, 99))
    write(journal, [*lines, line(day(34), answers=(0, 0, 0, 0, 0, 0, 0, 400))])
    signals, _ = judged(journal, rules, OLD)

    days = {kind: {s.day for s in signals if s.kind == kind} for kind in ("latency", "errors")}
    assert days["latency"] == {day(n) for n in range(21, 34)} - {day(30)}
    assert days["errors"] == {day(n) for n in range(21, 35)}
    assert beyond(signals) == set()
    _, unheard = judged(journal, rules, NEW)
    assert (unheard.now, unheard.unknown) == ([], [])


@pytest.mark.parametrize(
    ("days", "release", "version", "known"),
    [(18, 99, OLD, 4), (6, 4, NEW, 4), (19, 99, OLD, 5), (7, 5, NEW, 5)],
    ids=["few days", "few before a release", "enough", "enough before a release"],
)
def test_a_few_days_are_not_yet_enough(journal, rules, days, release, version, known):
    """That is no alarm, and nothing is broken."""
    write(journal, month(days, release=release))
    signals, found = judged(journal, rules, version)

    assert bool(signals) == (known >= rules.min_reference_days)
    seen = [(each.kind, each.yet, each.why.endswith(f"there are {known}")) for each in found.unknown]
    assert seen == ([] if signals else [("latency", True, True), ("errors", True, True)])


def test_a_journal_without_counts_is_not_broken(journal, rules):
    """Older scorers kept none."""
    journal.mkdir()
    found = served(read_days(journal, 35, None), OLD, rules)

    assert (found.before, found.now) == ([], [])
    assert [(each.kind, each.yet) for each in found.unknown] == [("latency", True), ("errors", True)]
    assert "the journal has no service counts" in found.unknown[0].why


def test_days_without_the_version_end_its_time(rules):
    """It was put back: what it did weeks ago is earlier days like any other."""
    counts = Counts(Counter({"2xx": 1000}), Counter({0.001: 1000, math.inf: 0}))
    live = [OLD] * 10 + [NEW] * 5 + [OLD] * 2
    found = served({day(n): {version: counts} for n, version in enumerate(live)}, OLD, rules)

    assert {each.day for each in found.now} == {day(15), day(16)}
    assert {each.day for each in found.eve} == {day(14)}
    assert {each.day for each in found.before} == {day(n) for n in range(15)}


def test_scorers_are_watched_though_no_row_could_be_judged(made, journal, rules):
    """A release that fails on every request leaves no row at all."""
    lines = [*month(33), *(line(day(n), NEW, (0,) * 8, failed=1000) for n in (33, 34))]
    write(journal, lines)
    buys = made("binary")
    window = read_window(journal, reading(buys), 35)
    found = served(read_days(journal, 35, None), NEW, rules)
    signals, unknown, _ = measure_window(
        window, buys.reference, buys.contract, buys.seen, rules, served=(found.before, found.now)
    )

    assert {each.why for each in unknown} == {"this version has no rows yet"}
    assert all(each.yet for each in unknown)
    assert beyond(signals) == {("errors", "share", day(n)) for n in (33, 34)}


def test_quiet_machines_keep_to_the_budget(rules):
    """Half of it here, over months whose slowest hundredth varies by a third from day to day, and sometimes doubles."""
    alarms = 0
    for seed in range(12):
        random = np.random.default_rng(seed)
        days = {}
        for n in range(35):
            seconds = 0.004 * random.lognormal(0, 0.15) * random.lognormal(0, 1, 4000)
            seconds[:60] *= random.lognormal(0.5, 0.3)
            bounds = [*BOUNDS, 0.25, 0.5, 1.0, math.inf]
            places = Counter(np.searchsorted(bounds[:-1], seconds).tolist())
            seen = Counter({bound: places[at] for at, bound in enumerate(bounds)})
            days[day(n)] = {OLD: Counts(Counter({"2xx": 4000}), seen)}
        found = served(days, OLD, rules)
        placed = charts([(found.before, found.now)], {}, replace(rules, false_alarms_per_quarter=0.5))
        signals = [signal for chart in placed for signal in signals_of(chart, rules)]
        alarms += bool(beyond(signals))

    assert alarms <= 12 * 0.5 * RECENT_DAYS / 91 + 2

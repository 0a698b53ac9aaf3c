"""Signals become causes, and what there is to show for them."""

from dataclasses import replace

import pytest

from contracts.row_contract import Contract, Feature, Target
from monitoring.charts.signals import Signal, Unknown
from monitoring.incidents.alert_rules import assess, excess
from monitoring.incidents.incident_state import IncidentState
from monitoring.observations import Observations, chart, deployments_of, first_day

CONTRACT = Contract(
    "flight-late",
    "binary",
    (
        Feature("wind", "number", owner="weather"),
        Feature("rain", "number", owner="weather"),
        Feature("origin", "category"),
    ),
    Target("late", ("no", "yes"), worth=10.0, currency="EUR"),
    key="id",
    time="at",
)
MOVES = (("2026-01-04T03:17", "v1", "model v1"),)


def series(marks, kind="multivariate_drift", feature="", metric="reconstruction_error", severity="issue"):
    """A day per mark: # beyond the limit, . within."""
    return [
        Signal(
            kind,
            metric,
            feature,
            f"2026-01-{n:02}",
            2.0 if mark == "#" else 0.5,
            0.4,
            None,
            1.0,
            100,
            level=0.5,
            level_upper=1.0,
            severity=severity,
            run_length=730.0,
        )
        for n, mark in enumerate(marks, 1)
    ]


def seen(signals, rules, unknown=(), **more):
    situation = assess(signals, unknown, rules)
    values = {
        "rows": 1000,
        "labelled": 250,
        "budget": 1.0,
        "deployments": MOVES,
        "reference": ("2025-12-01", "2025-12-31"),
    } | more
    return Observations(CONTRACT, "v1", "2026-01-08T06:00Z", signals, unknown, situation, **values)


def test_a_cause_has_a_fingerprint_whatever_the_day_the_version_and_the_metric(rules):
    """Of features with one owner it is one cause: it is put right in one place."""
    signals = series("....###") + series("...####", "missing_values", "wind", "share", "page")
    signals += series("....###", "missing_values", "rain", "share", "page") + series(
        "....###", "missing_values", "origin", "share", "page"
    )
    findings = seen(signals, rules).findings()

    assert sorted(cause.fingerprint for cause in findings.causes) == [
        "issue/multivariate_drift/",
        "page/missing_values/origin",
        "page/missing_values/weather",
    ]
    weather = next(cause for cause in findings.causes if cause.family == "weather")
    assert (weather.since, weather.last) == ("2026-01-04", "2026-01-07")
    assert weather.now == weather.peak == pytest.approx((2.0 - 0.4) / (1.0 - 0.4))
    assert weather.summary == "missing values share wind: 2.000 on 2026-01-07; usual 0.400, limit 1.000"


def test_where_the_level_is_the_alarm_it_is_reported_and_else_it_is_not(rules):
    """No day is beyond its limit: what lasts is."""
    low = [replace(s, level=1.2) for s in series(".......")]
    (cause,) = seen(low, rules).findings().causes

    assert cause.summary.endswith("usual 0.400, limit 1.000; EWMA 1.200 (limit 1.000)")


def test_the_digests_signals_are_no_cause(rules):
    """Nor do their days count."""
    findings = seen(series("#######", "univariate_drift", "wind", "mean", "digest"), rules).findings()

    assert (findings.causes, findings.evaluated, findings.last_breach) == ((), {}, {})


def test_a_report_has_what_was_evaluated_what_moved_and_what_became_live(rules):
    """And what could not be watched; what will be is not broken."""
    unknown = [Unknown("score_drift wind", "ValueError", crashed=True), Unknown("row_rate", "soon", yet=True)]
    findings = seen(series("..#...."), rules, unknown).findings()

    assert findings.evaluated == {"multivariate_drift": tuple(f"2026-01-0{n}" for n in range(1, 8))}
    assert findings.last_breach == {"issue/multivariate_drift/": "2026-01-03"}
    assert findings.not_monitored == ("score_drift",)
    assert findings.deployments == (("2026-01-04T03:17", "v1 went live: model v1"),)


def test_title_and_body_say_all(rules):
    """What moved, how sure, what it costs, why, in figures and as a chart."""
    signals = (
        series("....###")
        + series("....###", "univariate_drift", "wind", "mean", "digest")
        + series("....###", "missing_values", "wind", "share", "page")
        + [
            replace(s, value=0.3)
            for s in series(".......", "estimated_performance", metric="accuracy", severity="page")
        ]
    )
    unknown = [Unknown("score_drift", "ValueError: <b>")]
    found = seen(signals, rules, unknown, oddities=("3 torn",), unjudged=("2026-01-09",), slices="| a | slice |")
    findings = found.findings()
    memory = IncidentState(
        tuple(c.fingerprint for c in findings.causes), tuple(c.summary for c in findings.causes), "2026-01-05"
    )
    title, words = found.issue_text(findings, memory, "open", "")

    assert title == "flight-late: missing values, multivariate drift outside control limits since 2026-01-05 (wind)"
    for expected in (
        "**flight-late**, version <code>v1</code>: outside control limits since 2026-01-05.",
        "**Do now:** ask weather what changed on 2026-01-05.",
        "- missing values share wind: outside its limits on 3 of 7 days; expected false alarms: one in 2.0 years",
        "all charts together: 1 expected false alarms a quarter",
        "| multivariate drift reconstruction error | 2026-01-07 | 2.000 | 0.400 | 1.000 |  | 3 of 7 | 2.0 years |",
        "| univariate drift mean wind |",
        "| a | slice |",
        "- accuracy, estimated over 3 days: 0.300; 0.400 in the reference period (-0.100), about 100 EUR a day (0.1 a row, 100 rows a day, 10 EUR each)",
        "- label coverage: 250 of 1,000 rows (25%)",
        "- Release: <code>v1</code> went live on 2026-01-04, 1 day before.",
        "- Upstream change: <code>wind</code> drifted; owner: weather.",
        "- score_drift: ValueError: &lt;b&gt;",
        "- 3 torn",
        "- 2026-01-09",
        "```mermaid",
        "do not retrain on it",
    ):
        assert expected in words


def test_performance_has_its_interval_from_enough_days(rules):
    """Realised and estimated, from the variation between days."""
    days = series("#######", "realised_performance", metric="accuracy", severity="page")
    days = [replace(day, value=0.7 + 0.01 * (n % 2)) for n, day in enumerate(days)]

    first, *_ = seen(days, rules).effect("2026-01-01")
    assert first.startswith(
        "accuracy, realised over 7 days: 0.704 (95 % interval 0.699 to 0.709); 0.400 in the reference"
    )


def test_that_nothing_was_seen_is_reported(rules):
    """No rows, no day, no division by zero."""
    found = seen([], rules, rows=0, labelled=0)
    _, words = found.issue_text(found.findings(), IncidentState(), "inactive", "no day could be evaluated")

    assert "label coverage: 0 of 0 rows (none)" in words
    assert first_day([], ()) == ""


@pytest.mark.parametrize("hostile", ['a" | b\n# c', "<!-- x -->", "@everyone", "`x` [y](z)"])
def test_nothing_from_data_breaks_out(rules, hostile):
    """A name in a journal, or a crash's message."""
    signals = series("#######", "unseen_categories", hostile, "share", "page")
    found = seen(signals, rules, [Unknown(hostile, hostile)], oddities=(hostile,))
    findings = found.findings()
    memory = IncidentState(
        tuple(c.fingerprint for c in findings.causes), tuple(c.summary for c in findings.causes), "2026-01-01"
    )

    for sign in ("<!--", "@everyone", "\n# c", "[y]", 'a" |'):
        assert sign not in "\n".join(found.issue_text(findings, memory, "open", ""))
    assert chart(signals).count('"') % 2 == 0


def test_how_far_a_day_is_counts_its_level_too():
    """A small shift that lasts is far by its level alone."""
    (day,) = series(".")
    assert excess(replace(day, level=1.6)) == pytest.approx(2.0)
    assert excess(replace(day, value=0.4, level=None)) == 0.0
    assert excess(replace(day, upper=None, level=None)) == 0.0
    assert excess(replace(day, upper=None, lower=0.2, value=0.1, level=None)) == pytest.approx(1.5)


def test_what_became_live_is_where_the_version_changed():
    """Nothing that is live is no version."""
    history = [
        ("t0", "", "begin"),
        ("t1", "a", "first"),
        ("t2", "a", "a share"),
        ("t3", "b", "second"),
        ("t4", "a", "back"),
    ]

    assert deployments_of(history) == (("t1", "a", "first"), ("t3", "b", "second"), ("t4", "a", "back"))

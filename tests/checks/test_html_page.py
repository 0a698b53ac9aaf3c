"""The review in words and as a page: golden text, and nothing from data breaks out of its place."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from checks.comparison.compare import Compared, compare
from checks.insights.distribution_shift import Shift
from checks.insights.permutation_importance import Importance
from checks.insights.prediction_churn import Churn, ScoreChange, SliceChurn
from checks.insights.review import Review
from checks.reports.evidence_charts import Chart
from checks.reports.folded_sections import most_churn, sections
from checks.reports.html_page import _gains, page
from checks.reports.report_svg import Interval, bars, intervals, named_bars
from checks.rules.serving.serving_load import Served
from checks.verdict import Finding, judge
from model.source_profile.source_change import Change

GOLDEN = Path(__file__).parent / "review.md"
WHOLE = SliceChurn("all", 13_189, 0.0324, {"false to true": 0.02, "true to false": 0.0124})
REVIEW = Review(
    Churn(
        WHOLE,
        (
            SliceChurn("origin = JFK", 4278, 0.05, {"false to true": 0.04, "true to false": 0.01}),
            SliceChurn("origin = LGA", 3987, 0.01, {"true to false": 0.01}),
        ),
        (
            ScoreChange(
                "2013-04-18 21:45", 0.12, 0.71, "true", {"precip": "0.4 (typical 0)", "dest": "XNA (in 0.3% of rows)"}
            ),
            ScoreChange("2013-04-19 12:00", 0.6, 0.4, "false", {}),
        ),
    ),
    (
        Importance("minute", "kept", "log loss", 0.0412, 0.03, 0.052, 5000, 0.0, 0.0),
        Importance("wind", "changed", "log loss", 0.001, -0.0004, 0.0024, 5000, 0.02, 0.0, "maximum 250 to 200"),
        Importance("temp", "added", "log loss", -0.0002, -0.001, 0.0006, 5000, 0.01, 0.0),
        Importance("humid", "removed", "log loss", 0.003, 0.001, 0.005, 4800, 0.0, 0.0),
    ),
    (Shift("temp", 0.312, 0.01, 0.02, 0.0), Shift("dest", 0.08, 0.0, 0.0, 0.013)),
    (
        Change("units", "price", "2013-04-10", "is about 100 times larger: cents, or per cent? (since 2013-04-10)"),
        Change(
            "outlook",
            "temp",
            "2013-05-02",
            "(missing values) changes by +0.80% a day: if the trend continues, it passes 50% about 2013-05-02",
        ),
    ),
    (
        Served("20260102T0000-bbbbbbb", 500, 1.2e-7, 812_345, 123_000_000, [0.0004] * 20),
        Served("20260101T0000-aaaaaaa", 500, 0.0, 640_000, None, [0.0005] * 20),
    ),
)
CHART = Chart("log_loss by day", "log_loss", "By day.", ("04-15", "04-16"), (0.5, 0.4), (0.6, 0.3))
TABLE = [
    Compared(
        "log_loss", 0.545, 0.5725, 0.504, -0.0406, -0.052, -0.0297, 0.005, outcome="FAIL", limit="at least -0.0050"
    )
]
FINDINGS = [
    Finding("a.rule", "FAIL", "seen", "a limit", "it matters"),
    Finding("b.rule", "PASS", "seen", "a limit", "so"),
]


def manifest(version, end):
    data = {part: {"rows": 25608, "start": "2013-01-29T00:00:00Z", "end": end} for part in ("train", "holdout")}
    window = ["2013-01-29T00:00:00Z", end]
    return {"version": version, "contract": {"name": "flight-late"}, "data": data | {"window": window}}


CANDIDATE, CHAMPION = manifest("v2", "2013-04-29T00:00:00Z"), manifest("v1", "2013-04-22T00:00:00Z")


def folded(review=REVIEW, champion=CHAMPION):
    return "\n\n".join(map(str, sections(review, CANDIDATE, champion)))


def drawn(review=REVIEW, findings=FINDINGS, name=CANDIDATE):
    return page(judge(findings, [], True, "Good."), review, TABLE, name, [CHART])


def test_it_reads_as_it_did():
    """A change of the review shows here as a reviewer would see it."""
    assert folded() + "\n\n" + most_churn(REVIEW.churn) + "\n" == GOLDEN.read_text()


def test_the_champions_own_evaluation_is_a_column():
    """Beside its metric on the rows of today; without one there is no such column."""
    table = [replace(TABLE[0], evaluated=0.4712)]
    words = page(judge(FINDINGS, [], True, "Good."), REVIEW, table, CANDIDATE, [CHART])

    assert "champion when evaluated" in words
    assert "0.4712" in words
    assert "champion when evaluated" not in drawn()


def test_the_slice_with_the_most_churn_is_one_line():
    """A slice that changes like the rest is not named."""
    assert most_churn(REVIEW.churn).startswith("Most churn in the slice origin = JFK: 4.0% false to true")
    assert most_churn(replace(REVIEW.churn, slices=(replace(WHOLE, name="a"),))) == ""
    assert most_churn(None) == ""


def test_without_a_champion_its_parts_are_left_out():
    """No decisions that change; the server alone; nothing empty."""
    bare = replace(REVIEW, churn=None, served=(), changes=())
    words = folded(bare, None)

    assert "Prediction churn" not in words
    assert "Serving:" not in words
    assert "<details><summary>Data drift since the last training</summary>" in words
    assert "None" not in words
    assert "The server was not measured" in drawn(bare)
    assert "Prediction churn" not in drawn(bare)


class Page(HTMLParser):
    """What tags there are, and what they would fetch."""

    def __init__(self, words):
        super().__init__()
        self.tags, self.links, self.open = set(), [], []
        self.feed(words)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.links += [value for name, value in attributes if name in ("src", "href", "action")]
        if tag not in ("meta", "path", "circle", "rect", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            assert self.open.pop() == tag


def test_the_page_is_one_file_that_fetches_nothing_and_runs_nothing():
    """For a phone, in the dark, without colour: each chart is a table too."""
    words = drawn()
    found = Page(words)

    assert all(link.startswith("#") for link in found.links)
    assert not found.tags & {"script", "link", "img", "iframe", "form"}
    assert found.open == []
    assert "default-src 'none'" in words
    assert "prefers-color-scheme: dark" in words
    assert 'name="viewport"' in words
    assert words.count("<svg viewBox") == words.count('role="img"') == words.count("as a table") == 4
    assert all(
        each in words
        for each in (
            "REJECT: flight-late v2",
            "a.rule",
            "origin = JFK",
            "minute",
            "about 100 times larger",
            "0.40 ms",
            "unknown",
        )
    )


def test_the_page_begins_with_the_metrics():
    """Models, gain, confidence interval and limit are a table that is not folded."""
    words = drawn()
    first = words.partition("<main>")[2].partition("</section>")[0].partition("<details>")[0]
    cells = re.findall(r"<t[hd](?: [^>]*)?>(.*?)</t[hd]>", first)

    assert cells == [
        *("metric", "better", "candidate", "champion", "baseline", "gain"),
        *("confidence interval", "limit", "outcome"),
        *("log_loss", "lower", "0.5450", "0.5040", "0.5725", "-0.0406", "-0.0520 to -0.0297"),
        *("at least -0.0050", "fails"),
    ]
    assert "Nothing was measured" in page(judge([], [], True, "Good."), REVIEW, [], CANDIDATE, [])


def test_every_axis_has_ticks_and_its_quantity():
    """Also a chart of values that are all equal."""
    flat = replace(CHART, bars=(0.0, 0.0), line=(), across="day")
    for figure, names in (
        (bars(replace(CHART, across="day")), ["log_loss", "day"]),
        (bars(flat), ["log_loss", "day"]),
        (intervals("t", "", "gain", [Interval("a", 0.0, 0.0, 0.0)]), ["gain"]),
        (named_bars("t", "", "% of rows", [("a", 0.0)]), ["% of rows"]),
    ):
        assert re.findall(r'class="axis-name"[^>]*>([^<]+)<', figure.svg) == names
        assert len(re.findall(r">-?[\d.,]+</text>", figure.svg)) >= 2


EVIL = "<img src=x onerror=alert(1)> | @all `x` </svg> \u202e"


def spoilt():
    """A review with evil wherever there is somebody else's text."""
    flipped = SliceChurn(EVIL, 50, 0.9, {EVIL: 0.9})
    return Review(
        Churn(flipped, (flipped,), (ScoreChange("2026-01-01 00:00", 0.1, 0.9, EVIL, {EVIL: EVIL}),)),
        (Importance(EVIL, "changed", "log loss", 0.1, 0.0, 0.2, 5, 0.0, 0.0, EVIL),),
        (Shift(EVIL, 0.1, 0.0, 0.0, 0.0),),
        (Change("units", EVIL, "", EVIL),),
        (Served(EVIL, 5, 0.0, 1, 1, [0.1]),),
    )


def test_nothing_from_data_breaks_out_of_its_place():
    """Neither in Markdown nor in HTML."""
    words = folded(spoilt())
    html = drawn(spoilt(), [Finding(EVIL, "FAIL", EVIL, EVIL, EVIL)], CANDIDATE | {"version": EVIL})

    assert "<img" not in words + html
    assert "@all" not in words
    assert "\u202e" not in words
    assert words.count("```") == 2
    rows = [line for line in words.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} <= {4, 5, 6, 7, 8}
    assert Page(html).open == []


def test_remarks_on_the_data_are_a_list_of_their_own_and_escaped():
    """Below the findings; no heading without any, as in older bundles."""
    words = drawn(name=CANDIDATE | {"remarks": ["article: 3 merge in float32", EVIL]})

    assert "(they do not change the verdict)</h2><ul><li>article: 3 merge in float32</li><li>&lt;img" in words
    assert words.index(">Findings</h2>") < words.index("verdict)</h2>") < words.index(">Prediction churn</h2>")
    assert "<img" not in words
    assert Page(words).open == []
    assert "Remarks" not in drawn()
    assert "Remarks" not in drawn(name=CANDIDATE | {"remarks": "text"})


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_a_benefit_that_is_none_is_drawn_all_the_same(value):
    """No bar below 0, and no empty chart."""
    lone = replace(REVIEW, importances=(replace(REVIEW.importances[0], benefit=value, low=-1.0),))

    assert "xychart" not in folded(lone)
    assert "minute (not significant)" in folded(lone)


@pytest.mark.parametrize(("superior", "least"), [((), -0.005), (("log_loss",), 0.0)])
def test_the_limit_of_an_interval_is_the_one_of_its_rule(evidence, rules, superior, least):
    """0 for a metric that must be better than the champion's."""
    compared = rules.gate.compare
    binary = replace(compared.binary, superior=superior)
    table, _ = compare(evidence, replace(compared, binary=binary))
    (row, *_) = _gains(table).table.rows

    assert table[0].least == least
    assert row[-1] == f"{least:+.4f}"

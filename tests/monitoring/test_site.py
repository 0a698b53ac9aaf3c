"""The page: one file that needs nothing, and that nothing from data can break."""

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import pytest

from forge import Alert, Change, Proposal, Release
from monitoring.drawing import STYLES, Line, chart, grid, lanes, shape
from monitoring.metrics import Day
from monitoring.signals import Signal
from monitoring.site import page, summary
from monitoring.story import Move, Story, champions, gather
from tests.monitoring.conftest import answered, write

OLD, NEW = "20260101T0000-aaaaaaa", "20260201T0000-bbbbbbb"
DAYS = [f"2026-02-{n:02}" for n in range(1, 8)]
STORY = Story(
    name="flight-late",
    metrics=("log_loss", "accuracy"),
    versions=(OLD, NEW),
    days=tuple(
        Day(version, day, 900, 450, {"log_loss": 0.5 + n / 100, "accuracy": 0.8})
        for version, days in ((OLD, DAYS[:5]), (NEW, DAYS[4:]))
        for n, day in enumerate(days)
    ),
    usual={OLD: {"log_loss": 0.45}, NEW: {"log_loss": 0.55, "accuracy": 0.81}},
    signals=tuple(
        (OLD, Signal(kind, metric, feature, day, 1.0 + n, 1.0, None, 2.5, 900))
        for kind, metric, feature in (
            ("multivariate_drift", "reconstruction_error", ""),
            ("unseen_categories", "share", "origin"),
            ("estimated_performance", "accuracy", ""),
        )
        for n, day in enumerate(DAYS[:5])
    ),
    moves=(Move("2026-02-01", "", "Nothing is live yet"), Move("2026-02-02", NEW, "model")),
    releases=[Release(NEW, "sha256:0", "published", "the report", "2026-02-02")],
    proposals=[
        Proposal(1, "retrain", "model", "card", "merged", "c", (), (True, "PROMOTE"), {"verdict": "r"}),
        Proposal(2, "retrain", "model", "card", "open", "c", (), None, {}),
    ],
    alerts=[Alert(1, "watch", "drift since Monday", "look", "open", ("opened",))],
    notes=("watch-0003.json cannot be read",),
)  # fmt: skip
VOID = {"meta", "rect", "circle", "path", "polyline", "br"}


class Checked(HTMLParser):
    """Every tag that opens closes; what is loaded or run is kept."""

    def __init__(self, text):
        super().__init__()
        self.open, self.loads, self.wrong = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        names = {name for name, _ in attrs}
        if tag in ("script", "iframe", "object", "link", "img") or any(
            n.startswith("on") for n in names
        ):
            self.loads.append(tag)
        self.loads += [v for n, v in attrs if n in ("src", "href")]

    def handle_endtag(self, tag):
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)


def test_it_is_whole_and_loads_and_runs_nothing():
    """It opens without a network, and its own policy forbids one."""
    found = Checked(page(STORY))

    assert (found.wrong, found.open, found.loads) == ([], [], [])
    assert "default-src 'none'" in page(STORY)


def test_it_tells_the_story():
    """What is live, how well it did, what moved, what was decided."""
    words = page(STORY)

    for expected in (
        f"{NEW} is live. 7,200 rows were answered by 2 versions, outcomes are known for 3,600. 1 alert open.",
        "Which version answered", "How well it did", "What moved", "Alerts", "Releases", "Proposals",
        "log loss (smaller is better)", "accuracy (larger is better)", "aaaaaaa estimated",
        "bbbbbbb when judged: 0.550", "unseen categories: origin", "drift since Monday", "the report",
        "PROMOTE", "no verdict yet", "watch-0003.json cannot be read",
    ):  # fmt: skip
        assert expected in words, expected


def test_every_chart_can_be_read_without_seeing_it():
    """Name, words, and the numbers as a table."""
    words = page(STORY)
    charts = re.findall(r"<svg viewBox[^>]*role=\"img\">(.*?)</svg>", words, re.DOTALL)

    assert len(charts) >= 6
    assert all(chart.startswith("<title>") and "<desc>" in chart for chart in charts)
    assert words.count("as a table") == len(charts)


def test_it_adapts_to_dark_mode_and_to_a_phone():
    """By its style alone."""
    words = page(STORY)

    assert "prefers-color-scheme: dark" in words
    assert "width=device-width" in words


def test_lines_differ_by_more_than_colour():
    """For who does not see it."""
    shapes = {re.sub(r"v\d|[\d.-]+", "", shape(style, 0, 0)) for style in range(STYLES)}

    assert len(shapes) == STYLES


def test_a_story_without_anything_is_a_page_too():
    """The first look at a fresh checkout."""
    empty = Story("", (), (), (), {}, (), (), [], [], [], ())
    words = page(empty)

    assert summary(empty) == (
        "Nothing is live. 0 rows were answered by 0 versions, outcomes are known for 0. No alert is open."
    )
    assert Checked(words).wrong == []
    assert "no model yet" in words


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style></svg>&"]
)
def test_nothing_from_data_is_markup(hostile):
    """Names of features, reasons, titles, messages."""
    signal = Signal("unseen_categories", "share", hostile, DAYS[0], 3.0, 0.0, None, 1.0, 9)
    story = replace(
        STORY, name=hostile, signals=((OLD, signal), (OLD, replace(signal, day=DAYS[1]))),
        moves=(Move(hostile, hostile, hostile),), notes=(hostile,),
        alerts=[Alert(1, hostile, hostile, hostile, "open", (hostile,))],
        releases=[Release(hostile, hostile, "published", hostile, hostile)],
        proposals=[Proposal(1, hostile, hostile, hostile, "open", hostile, (), (False, hostile), {"v": hostile})],
    )  # fmt: skip
    found = Checked(page(story))

    assert (found.wrong, found.open, found.loads) == ([], [], [])


def test_a_missing_day_breaks_the_line():
    """A line must not say what nobody saw."""
    points = tuple((date(2026, 2, day), 1.0 * day) for day in (1, 2, 5, 6))

    assert chart("t", "", [Line("a", 0, points)]).count("<polyline") == 2


@pytest.mark.parametrize("values", [[1.0], [1.0, 1.0], [0.0, 0.0], [-5.0, 5e6], [1e-9, 2e-9]])
def test_any_values_can_be_drawn(values):
    """One, equal, zero, huge, tiny."""
    points = tuple((date(2026, 2, n + 1), value) for n, value in enumerate(values))
    drawn = chart("t", "", [Line("a", 0, points)])
    heights = [float(y) for y in re.findall(r'cy="([\d.-]+)"', drawn)]

    assert "nan" not in drawn
    assert all(0 <= y <= 200 for y in heights)


def test_nothing_to_draw_is_nothing():
    """No empty frame."""
    assert chart("t", "", [Line("a", 0, ())]) == ""
    assert grid("t", "", [], []) == ""
    assert lanes("t", "", [("v", 0, [])]) == ""


def test_the_story_is_gathered_from_forge_journal_and_runs(made, journal, tmp_path):
    """What cannot be read is said; a later run's word on a day is the last."""
    import json

    buys = made("binary")
    version = buys.bundle.version
    write(journal, *answered(buys, date(2026, 2, 20), 2))
    watch = tmp_path / "watch"
    watch.mkdir()
    for number, value in ((1, 0.5), (2, 0.7)):
        signal = Signal("score_drift", "m", "", "2026-02-20", value, 0.1, None, 0.9, 150)
        run = {"version": version, "signals": [signal.to_json()]}
        (watch / f"watch-000{number}.json").write_text(json.dumps(run))
    (watch / "watch-0003.json").write_text("torn")
    history = [
        Change("b", "2026-02-20T01:00:00Z", "model", f'[champion]\nversion = "{version}"\n'),
        Change("a", "2026-02-19T00:00:00Z", "Nothing", "# none\n"),
    ]
    forge = {"history": history, "releases": [], "proposals": [], "alerts": []}
    manifests = {version: buys.bundle.manifest, "broken": {"contract": {}}}
    story = gather(forge, manifests, journal, watch, 100)

    assert champions(history) == {version}
    assert [move.champion for move in story.moves] == ["", version]
    assert [(day.day, day.rows) for day in story.days] == [("2026-02-20", 150), ("2026-02-21", 150)]
    assert [signal.value for _, signal in story.signals] == [0.7]
    assert len(story.notes) == 2
    assert "log_loss" in story.days[0].metrics
    assert story.usual[version]["roc_auc"] > 0.5

"""The dashboard: one file that needs nothing, and that nothing from data can break."""

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import pytest

from forge.interface import Alert, Change, Proposal, Release
from monitoring.charts.signals import Signal
from monitoring.dashboard import metric_charts
from monitoring.dashboard.dashboard_data import (
    Context,
    DashboardData,
    Span,
    champions,
    gather,
    verdict_in,
    with_journal,
)
from monitoring.dashboard.dashboard_page import page
from monitoring.dashboard.day_charts import Flag, Line, day_grid, line_chart, rows_by_day
from monitoring.dashboard.last_results import read_drill, read_score
from monitoring.dashboard.overview import summary, unfollowed
from monitoring.dashboard.timeline import timeline
from monitoring.dashboard.untrusted_markdown import prose
from monitoring.metric_history import Series
from tests.monitoring.conftest import answered, write
from tests.monitoring.stories import BAD, HISTORY, NEW, NEXT, OLD, quarter, report

pytestmark = pytest.mark.slow

VOID = {"meta", "rect", "circle", "path", "polyline", "polygon", "br", "hr"}


class Checked(HTMLParser):
    """Every tag that opens closes; what is loaded or run is kept."""

    def __init__(self, text):
        super().__init__()
        self.open, self.loads, self.links, self.wrong = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        names = {name for name, _ in attrs}
        if tag in ("script", "iframe", "object", "link", "img") or any(n.startswith("on") for n in names):
            self.loads.append(tag)
        self.loads += [v for n, v in attrs if n in ("src", "srcset", "action", "xlink:href")]
        self.links += [v for n, v in attrs if n == "href"]

    def handle_endtag(self, tag):
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)


@pytest.fixture(scope="module")
def story():
    return quarter()


def test_latency_is_shown_in_milliseconds_and_errors_as_a_share(story):
    """Charts of how the scorers answered stand among the others."""
    signals = [
        Signal(kind, metric, "", "2026-09-01", value, usual, None, limit, 1000, severity="page")
        for kind, metric, value, usual, limit in (
            ("latency", "p99", 123.4, 20.0, 30.0),
            ("errors", "share", 0.02, 0.0, 0.01),
        )
    ]
    found = page(replace(story, signals=tuple((OLD, signal) for signal in signals)))

    assert "latency: p99 in ms" in found
    assert "123 ms on 2026-09-01, usually 20 ms" in found
    assert "2.00% on 2026-09-01, usually 0.00%" in found


def test_it_is_whole_and_loads_and_runs_nothing(story):
    """It opens without a network, and its own policy forbids one; its links lead to the forge."""
    found = Checked(page(story))

    assert (found.wrong, found.open, found.loads) == ([], [], [])
    assert all(each.startswith(("#", "https://github.com/acme/flights/")) for each in found.links)
    assert "default-src 'none'" in page(story)


def test_the_first_screen_says_how_it_stands_and_how_to_roll_back(story):
    """What serves, the one gesture, and a tile for each thing to know."""
    words = page(story).partition("<nav")[0]

    for expected in (
        NEW,
        "champion since 2026-10-10 09:12 UTC",
        f"<code>{OLD}</code> serves again within seconds",
        "https://github.com/acme/flights/actions/workflows/rollback.yml",
        "20% of keys",
        "1 open",
        "0 beyond limits",
        "REJECT",
        "about 12 more days",
        "31 of 33",
    ):
        assert expected in words, expected


@pytest.mark.parametrize(
    ("forge", "typed"), [(".forge", "make rollback"), ("/a b/forge", "FORGE=&#39;/a b/forge&#39; make rollback")]
)
def test_on_a_laptop_the_gesture_is_a_line_to_type(story, forge, typed):
    """With the forge that was asked for."""
    words = page(replace(story, context=Context(forge=forge, back=(OLD, ""))))

    assert f'<pre class="command">{typed}</pre>' in words
    assert "there is no release before" in page(
        replace(story, context=Context(back=("", "there is no release before")))
    )


def test_scorers_that_cannot_follow_are_on_the_first_screen(story):
    """By what the forge knows of the slots, and by who answered since."""
    assert "Check that scorers follow" not in page(story)
    context = replace(story.context, unfollowed=("the challenger <v9> cannot be read",))
    assert "Check that scorers follow" in page(replace(story, context=context))
    assert "the challenger &lt;v9&gt; cannot be read" in page(replace(story, context=context))

    champion = story.roles["champion"].version
    context = replace(story.context, at="2999-01-03T00:00Z")
    other = replace(story.days[-1], day="2999-01-02", version="20200101T0000-0000000", rows=1234)
    after = replace(story, days=(other,), context=context)
    assert unfollowed(after) == [
        f"{other.version} answered 1,234 rows of 2999-01-02, and {champion} none: see /ready of each scorer"
    ]
    assert unfollowed(replace(after, days=(other, replace(other, version=champion)))) == []
    assert unfollowed(replace(after, context=replace(context, at="2999-01-02T12:00Z"))) == []  # not over


def test_it_shows_what_served_when_by_arm(story):
    """From every change of live.toml: who had which arm, since when, until when."""
    spans = [(s.role, s.version, s.since[:10], s.until[:10], s.how) for s in story.spans]

    assert spans == [
        ("champion", OLD, "2026-08-15", "2026-09-25", ""),
        ("champion", NEW, "2026-09-25", "2026-10-08", ""),
        ("champion", BAD, "2026-10-08", "2026-10-10", ""),
        ("champion", NEW, "2026-10-10", "", ""),
        ("challenger", NEXT, "2026-10-20", "", "20% of keys"),
        ("anchor", OLD, "2026-08-15", "", ""),
    ]
    found = page(story)
    assert (
        "<td>challenger</td><td>20261020T0317-ddddddd</td><td>2026-10-20 04:00</td><td>now</td><td>20% of keys</td>"
        in found
    )
    assert "Roll back to bbbbbbb" in found


def test_rollbacks_and_corrections_are_drawn_in_the_band(story):
    """A rollback by a sign and words, not by a colour alone; corrections as a lane, once they had another mode."""
    assert [span.rolled_back for span in story.spans if span.rolled_back] == ["Roll back to bbbbbbb"]
    assert (story.corrections, ">corrections</h4>" in page(story)) == ((), False)
    assert page(story).count(' back" style') == 1

    modes = (("2026-10-21", "on"), ("2026-10-23", "off"), ("2026-10-24", "off"))
    later = [
        Change(at, f"{at}T06:00:00Z", mode, f'{HISTORY[0].text}\n[online]\nmode = "{mode}"\n') for at, mode in modes
    ]
    found = quarter(history=[*later[::-1], *HISTORY])
    assert [(span.version, span.since[:10], span.until[:10]) for span in found.corrections] == [
        ("shadow", HISTORY[-1].at[:10], "2026-10-21"),
        ("on", "2026-10-21", "2026-10-23"),
        ("off", "2026-10-23", ""),
    ]
    assert ">corrections</h4>" in page(found)
    assert "<td>corrections</td><td>on</td><td>2026-10-21 06:00</td>" in page(found)


def test_a_live_toml_that_cannot_be_read_changed_nothing(story):
    """Scorers went on with what they had."""
    torn = [Change("f", "2026-10-21T00:00:00Z", "oh", "[champion"), *HISTORY]
    found = quarter(history=torn)

    assert found.spans == story.spans
    assert champions(torn) == {OLD, NEW, BAD}


def test_each_chart_has_its_alarms_and_the_releases_marked(story):
    """Flags where another version answers, rings where a limit was passed."""
    drawn = re.search(r"<figure><figcaption>score drift</figcaption>.*?</figure>", page(story))[0]

    assert drawn.count('class="flag"') == 3
    assert drawn.count('class="alarm"') == 2 + 1  # and one in the legend
    assert "issue · beyond on 2 of 61 days" in drawn
    assert "a false alarm in 33 years" in drawn
    assert page(story).count("<figcaption>") >= 9 + 3 + 3


def test_a_series_that_is_expected_to_move_has_a_line_of_what_is_expected(story):
    """Its figures are in the table, its holidays in the description; others have no such line."""
    days = [f"2026-10-{n:02}" for n in range(1, 11)]
    moving = Signal("score_drift", "mean", "", days[0], 0.2, 0.1, 0.0, 0.3, 900)
    signals = [replace(moving, day=day, expected=0.1 + n / 100) for n, day in enumerate(days)]
    signals[-1] = replace(signals[-1], holiday="All Saints")
    still = [replace(each, kind="univariate_drift", expected=0.1, holiday="") for each in signals]
    known = replace(story, signals=tuple((NEW, each) for each in (*signals, *still)), versions=[NEW])
    drift, other = sorted(metric_charts.signals(known)["quiet"], key=lambda figure: figure.caption)

    assert [name for name in drift.table.heads if "expected" in name] == ["bbbbbbb: expected"]
    assert "holiday: All Saints on 2026-10-10" in drift.note
    assert not any("expected" in name for name in other.table.heads)


def test_charts_beside_each_other_have_one_time(story):
    """From the first day to the last of all that is known."""
    drawn = re.findall(r'y="191.0" text-anchor="start">([^<]+)<', page(story))

    assert len(drawn) >= 12
    assert set(drawn[1:-1]) == {"01 Sep"}


def test_verdicts_are_joined_with_what_became_of_them(story):
    """Sentence, release, proposal; what had no verdict stands apart."""
    words = page(story).partition('id="verdicts"')[2]
    cases = re.findall(r"<summary>(.*?)</summary>", words)
    plain = [re.sub(r"<[^>]+>", "", each) for each in cases]

    assert any("REJECT" in each and "eeeeeee" in each and "proposal 9, closed" in each for each in plain)
    assert any("PROMOTE" in each and BAD in each and "withdrawn" in each for each in plain)
    assert any("HOLD" in each and NEXT in each and "about 4 more days of labels" in each for each in plain)
    assert "The drill of 2026-10-01:</strong> 31 of 33 faults caught" in words
    assert "Other proposals" in words


def test_a_digest_is_no_open_incident(story):
    """It is shown below them, and counted with none."""
    title = "flight-late: origin moved in the week of 2026-10-26"
    digest = Alert(10, "digest:flight-late", title, "| feature |\n", "open", ("opened",))
    alone = replace(story, alerts=[digest])
    both = replace(story, alerts=[digest, *story.alerts])

    assert "No incident is open." in summary(alone)
    assert re.search(r'chip good"[^>]*>.{0,200} 0 open</span>', page(alone))
    assert "0 past" in page(alone)
    assert "<h3>Digest of the week</h3>" in page(alone)
    assert summary(both) == summary(story)


def test_incidents_and_experiments_are_distinguished(story):
    """An incident with its days and its peak, an experiment with its sequence."""
    words = page(story)

    assert "2026-10-12 to 2026-10-22 (11 days) · peak 12.2 times its limit" in words
    assert 'href="https://github.com/acme/flights/issues/6"' in words
    assert "log_loss: the challenger&#39;s gain by day" in words
    assert words.count('class="band v0"') == 1
    assert '<th scope="col">at least</th>' in words


@pytest.mark.parametrize("gain", [None, [], [[1]], [[1, "a", 0, 0]], [[1, 0.0, float("inf"), 0.0]], "x"])
def test_a_memory_that_somebody_edited_draws_nothing(story, gain):
    """And breaks nothing."""
    alert = replace(story.alerts[0], memory={"since": "2026-10-20", "gain": gain})
    words = page(replace(story, alerts=[alert]))

    assert 'class="band' not in words
    assert Checked(words).wrong == []


def test_every_chart_can_be_read_without_seeing_it(story):
    """Name, words, and the numbers as a table."""
    words = page(story)
    charts = re.findall(r"<svg viewBox[^>]*role=\"img\">(.*?)</svg>", words, re.DOTALL)

    assert len(charts) >= 12
    assert all(chart.startswith("<title>") and "<desc>" in chart for chart in charts)
    assert words.count("as a table") == len(charts) + 1  # the timeline, too
    assert re.findall(r"<h(\d)", words.partition("<main>")[2].partition("<details")[0])[:2] == ["2", "2"]


def test_it_adapts_to_dark_mode_and_to_a_phone(story):
    """By its style alone."""
    words = page(story)

    assert "prefers-color-scheme: dark" in words
    assert "width=device-width" in words


def test_a_story_without_anything_says_what_will_appear_and_what_to_type():
    """The first look at a fresh checkout."""
    words = page(DashboardData())

    assert summary(DashboardData()) == "No incident is open."
    assert Checked(words).wrong == []
    for expected in (
        "no model yet",
        "make retrain gate land",
        "make watch",
        "make experiment",
        "make drill",
        "make rollback",
        "A lane for each role",
        "A control chart per signal",
        "A chart per metric",
        "A verdict appears here",
    ):
        assert expected in words, expected


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</style></svg>&",
        "</details></main>",
        "<details><summary>",
        "[x](javascript:alert(1))",
        "![x](https://a.example/b.png)",
        "<br onload=alert(1)>",
    ],
)
def test_nothing_from_data_is_markup(story, hostile):
    """Names of features, reasons, titles, messages, texts of people."""
    signal = Signal("unseen_categories", "share", hostile, "2026-09-01", 3.0, 0.0, None, 1.0, 9)
    hurt = replace(
        story,
        name=hostile,
        signals=((OLD, signal), (OLD, replace(signal, day="2026-09-02"))),
        spans=(Span("champion", hostile, "2026-09-01", "", hostile),),
        notes=(hostile,),
        alerts=[
            Alert(1, hostile, hostile, hostile, "open", (hostile,)),
            Alert(2, "experiment:x", hostile, hostile, "open", (), {"state": hostile, "why": hostile}),
        ],
        releases=[
            Release(hostile, hostile, "published", hostile, hostile),
            Release("v", "", "withdrawn", report("HOLD", "v", hostile), ""),
        ],
        proposals=[Proposal(1, hostile, hostile, hostile, "open", hostile, (), (False, hostile), {"v": hostile})],
        context=Context("2026-09-03", hostile, "https://github.com/acme/x", (hostile, ""), (hostile, hostile)),
    )
    found = Checked(page(hurt))

    assert (found.wrong, found.open, found.loads) == ([], [], [])
    assert all(each.startswith(("#", "https://")) for each in found.links)


def test_a_report_is_read_as_it_was_written():
    """Tables, folds and code; drawings of GitHub's and hidden lines are left out."""
    found = prose(
        "## Hi\n\n| a |\n|---|\n| `b` |\n\n<details><summary>more</summary>\n\n- **c**\n\n</details>\n\n```mermaid\nx\n```\n<!-- looked {} -->"
    )

    for expected in (
        "<h4>Hi</h4>",
        "<td><code>b</code></td>",
        "<details><summary>more</summary>",
        "<strong>c</strong>",
    ):
        assert expected in found
    assert "mermaid" not in found
    assert "looked" not in found
    assert prose("  ") == ""


def test_a_verdict_is_known_by_its_first_words():
    """The decision, the sentence, the candidate; another text is not one."""
    found = verdict_in("Withdrawn: odd\n\n" + report("PROMOTE", OLD, "Every rule holds."))

    assert (found.decision, found.sentence, found.version) == ("PROMOTE", "Every rule holds.", OLD)
    assert verdict_in("card") is None


def test_the_drills_score_is_read_or_it_is_said_why_not(tmp_path):
    """From its file, where there is one; else from the newest report."""
    path = tmp_path / "drill.json"
    assert read_drill(path) == ("", "")
    path.write_text('{"when": "2026-10-01", "sentence": "1 of 1"}')
    assert read_drill(path) == ("2026-10-01", "1 of 1")
    path.write_text("torn")
    assert "make drill" in read_drill(path)[1]


def test_a_missing_day_breaks_the_line():
    """A line must not say what nobody saw."""
    points = tuple((date(2026, 2, day), 1.0 * day) for day in (1, 2, 5, 6))

    assert line_chart("t", "", [Line("a", 0, points)]).svg.count("<polyline") == 2


@pytest.mark.parametrize("values", [[1.0], [1.0, 1.0], [0.0, 0.0], [-5.0, 5e6], [1e-9, 2e-9]])
def test_any_values_can_be_drawn(values):
    """One, equal, zero, huge, tiny."""
    points = tuple((date(2026, 2, n + 1), value) for n, value in enumerate(values))
    drawn = line_chart("t", "", [Line("a", 0, points)]).svg
    heights = [float(y) for y in re.findall(r'cy="([\d.-]+)"', drawn)]

    assert "nan" not in drawn
    assert all(0 <= y <= 200 for y in heights)


def test_nothing_to_draw_is_nothing():
    """No empty frame."""
    assert line_chart("t", "", [Line("a", 0, ())]) is None
    assert day_grid("t", "", [], []) is None
    assert timeline([], "", {}) is None
    assert rows_by_day("t", [("v", 0, [])]) is None


def test_a_mark_has_its_word_where_there_is_room():
    """Two releases on one day are two flags and one word."""
    points = tuple((date(2026, 2, day), 1.0 * day) for day in range(1, 28))
    marks = [Flag(date(2026, 2, 10), "aaa"), Flag(date(2026, 2, 11), "bbb"), Flag(date(2026, 1, 1), "c")]
    drawn = line_chart("t", "", [Line("a", 0, points)], marks).svg

    assert drawn.count('class="flag"') == 2
    assert re.findall(r'class="word"[^>]*>(\w+)<', drawn) == ["aaa", "bbb"]


def test_the_story_is_gathered_from_forge_journal_and_series(made, journal, rules):
    """What cannot be read is said; the journal's word on a day is the last."""
    buys = made("binary")
    version = buys.bundle.version
    write(journal, *answered(buys, date(2026, 2, 20), 2))
    signal = Signal("score_drift", "m", "", "2026-02-20", 0.7, 0.1, None, 0.9, 150)
    history = [
        Change("b", "2026-02-20T01:00:00Z", "model", f'[champion]\nversion = "{version}"\n'),
        Change("a", "2026-02-19T00:00:00Z", "Nothing", "# none\n"),
    ]
    forge = {"history": history, "releases": [], "proposals": [], "alerts": []}
    manifests = {version: buys.bundle.manifest, "broken": {"contract": {}}}
    series, lost = with_journal(Series().updated(version, [signal], [], {}), journal, manifests, rules)
    story = gather(forge, manifests, series, Context(), lost)

    assert champions(history) == {version}
    assert [move.champion for move in story.moves] == ["", version]
    assert [(day.day, day.rows) for day in story.days] == [("2026-02-20", 150), ("2026-02-21", 150)]
    assert [signal.value for _, signal in story.signals] == [0.7]
    assert len(story.notes) == 1
    assert "log_loss" in story.days[0].metrics
    assert story.usual[version]["roc_auc"] > 0.5


def test_the_ml_test_score_has_a_tile(tmp_path):
    """From score.json; without a file, or with one that cannot be read, the tile names the command."""
    path = tmp_path / "score.json"
    assert read_score(path) == ("", "", "")
    path.write_text("[]")
    assert read_score(path) == ("", "", "")
    path.write_text('{"day": "2026-11-29", "score": 2.5, "sections": {"data": 4.0, "model": 2.5}}')
    assert read_score(path) == ("2026-11-29", "2.5 of 7", "data 4, model 2.5")
    assert "2.5 of 7" in page(DashboardData(context=Context(score=read_score(path))))
    assert "make score" in page(DashboardData())


def test_the_last_drill_of_a_rollback_has_a_tile():
    """How long it took, and how long ago; a failure is shown as one."""
    run = {"at": "2026-11-27T05:00:00Z", "ok": True, "seconds": {"back": 1.31}, "says": "as it should"}
    shown = page(DashboardData(context=Context(at="2026-11-29T06:00Z", way_back=run)))
    assert "1.3 s" in shown
    assert "until the older model answered, 2 days ago" in shown
    failed = page(DashboardData(context=Context(at="2026-11-27T06:00Z", way_back=run | {"ok": False})))
    assert "today: as it should" in failed
    assert "failed" in failed
    assert "make drill-rollback" in page(DashboardData())

"""The report for the reviewer; no text from data can break it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.comparison.compare import Compared
from checks.reports.model_changes import served_model
from checks.reports.pull_request import report
from checks.verdict import Finding, judge
from reporting.markdown import MAX_LENGTH
from reporting.mermaid import xychart

GOLDEN = Path(__file__).parent / "report.md"
FINDINGS = [
    Finding(
        "compare.log_loss",
        "FAIL",
        "gain -0.0406 over the champion (95% CI -0.0520 to -0.0297)",
        "at least -0.0050",
        "The candidate is worse.",
    ),
    Finding("drift.features", "FAIL", "temp: 0.57", "below 0.4", "Data drift: later rows may differ more.", "warn"),
    Finding(
        "compare.brier",
        "INCONCLUSIVE",
        "gain -0.001 over the champion",
        "at least -0.003",
        "Needs about 900 more labelled rows, four days at this rate.",
    ),
    Finding(
        "model.gain",
        "NOT_RUN",
        "KeyError: 'x'",
        "more than 5%",
        "A model that is hardly better than guessing is not useful.",
    ),
    Finding("data.missing", "PASS", "within the limit", "at most 50%", "It would carry little information."),
]
TABLE = [
    Compared(
        "log_loss",
        0.545,
        0.5725,
        0.504,
        -0.0406,
        -0.052,
        -0.0297,
        0.005,
        outcome="FAIL",
        limit="at least -0.0050",
        evaluated=0.4712,
    ),
    Compared("roc_auc", 0.71, 0.67, 0.74, -0.03, -0.05, -0.01, 0.01, outcome="INCONCLUSIVE", limit="at least -0.0100"),
]


def manifest(version, features, **more):
    return {
        "version": version,
        "contract": {"features": [{"name": n, "kind": "number"} for n in features]},
        "data": {
            "train": {"rows": 25608, "start": "2013-01-29T00:00:00Z", "end": "2013-04-14T23:50:00Z"},
            "holdout": {"rows": 13189, "start": "2013-04-15T00:00:00Z", "end": "2013-04-28T23:50:00Z"},
        },
        "recipe": {"sha256": "sha256:" + "ab" * 32},
        "build": {"commit": "c0ffee" * 6 + "c0ff", "python": "3.11.7", "libraries": {"scikit-learn": "1.5.2"}},
    } | more


RELEASE = {"rows": 38797, "start": "2013-01-29T00:00:00Z", "end": "2013-04-28T23:50:00Z"}
REMARK = 'article: 3 of 9 different whole numbers above 16,777,216 become equal (rows["article"].astype(str))'
CANDIDATE = manifest("20260102T0000-bbbbbbb", ["wind", "temp"], remarks=[REMARK], release=RELEASE)
CHAMPION = manifest("20260101T0000-aaaaaaa", ["wind"])


CHART = xychart("log_loss by day", "log_loss", ["04-15", "04-16"], [0.5, 0.4], [[0.6, 0.3]], from_zero=True)
SLICES = [("origin = EWR", 4924, 0.5521, 0.6466), ("origin = JFK", 4278, 0.5164, 0.5153)]


def report_on(findings=FINDINGS, candidate=CANDIDATE, champion=CHAMPION, slices=(), **more):
    verdict = judge(findings, [], True, "It is better.")
    given = {"table": TABLE, "fresh": 13189} | more
    return report(verdict, candidate, champion, slices=slices, **given)


def test_it_reads_as_it_did():
    """A change of the report shows here as a reviewer would see it."""
    files = ["serve/live.toml", "checks/thresholds.toml", "checks/rules/deepchecks_suite.py", "model/recipe.py"]
    words = report_on(
        slices=SLICES,
        churn=0.0324,
        budget=0.1,
        most_churn="Most churn in the slice origin = JFK: 5.0%.",
        files=files,
        charts=CHART,
    )

    assert words == GOLDEN.read_text()


def test_what_decides_is_read_first():
    """The verdict, changed rules, metrics, failures, what to do, warnings, churn; folded, the rest."""
    words = report_on(slices=SLICES, churn=0.03, files=["checks/thresholds.toml"], charts=CHART)
    order = [
        words.index(each)
        for each in (
            "REJECT",
            "This proposal changes the gate",
            "| log_loss ↓",
            "Failed or not settled",
            "What to do",
            "Warnings",
            "Prediction churn: 3.0%",
            "What changed",
            "Slices: 2",
            "Rules that pass: 1",
            "```mermaid",
        )
    ]

    assert order == sorted(order)
    assert words.index("<details>") > words.index("Prediction churn")


def test_the_anchor_has_a_column_if_there_is_one():
    """Of the metrics that have a margin against it."""
    anchored = [replace(TABLE[0], anchor=0.5123), TABLE[1]]

    assert "| at least -0.0050 | ❌ fails | 0.5123 | 0.5725 |" in report_on(table=anchored)
    assert "| ⏳ inconclusive |  | 0.6700 |" in report_on(table=anchored)
    assert "anchor" not in report_on()


def test_what_blocks_comes_before_what_does_not():
    """NOT_RUN, FAIL, INCONCLUSIVE, then what is only said; what holds is folded away."""
    words = report_on()
    order = [
        words.index(rule)
        for rule in (
            "**model.gain",
            "- **compare.log_loss",
            "**compare.brier",
            "**drift.features",
            "Rules that pass",
            "| data.missing",
        )
    ]

    assert order == sorted(order)
    assert "**drift.features** ⚠️: temp" in words


def test_an_inconclusive_rule_that_does_not_block_is_a_warning():
    """Such as a calibration error on few rows: the verdict is PROMOTE, and nothing failed."""
    open_ = Finding("calibration.ece", "INCONCLUSIVE", "seen", "limit", "why", "warn")
    words = report_on([open_])

    assert words.startswith("## ✅ PROMOTE")
    assert "Failed or not settled" not in words
    assert words.index("Warnings (they do not block)") < words.index("**calibration.ece** ⏳ inconclusive")


def test_without_a_champion_it_says_so():
    """The first of all: no column, no row and no difference to nothing."""
    bare = [replace(row, champion=None, difference=None, margin=None) for row in TABLE]
    verdict = judge([FINDINGS[-1]], [], True, "Every rule passes.")
    words = report(verdict, CANDIDATE, None, table=bare, slices=[("a", 60, 0.5, None)], fresh=500)

    assert "There is no champion yet to compare with." in words
    assert "| version | 20260102T0000-bbbbbbb |" in words
    assert "champion |" not in words.partition("<details>")[0]
    assert "None" not in words


def test_where_nothing_was_measured_there_is_no_table():
    """Too few fresh rows."""
    words = report_on(table=[], fresh=7)

    assert (
        "There are only 7 fresh rows (holdout rows that no compared model was trained on): nothing was measured."
        in words
    )
    assert "| candidate | champion | baseline" not in words


def test_remarks_on_the_data_are_shown_and_decide_nothing():
    """Absent without any, as in bundles that are older; what is no list of texts is no remark."""
    plain = {name: value for name, value in CANDIDATE.items() if name != "remarks"}
    for old in (plain, *(plain | {"remarks": each} for each in ([], None, "text", {"a": "b"}, [5]))):
        assert "Remarks" not in report_on(candidate=old)
        assert report_on(candidate=old).splitlines()[:3] == report_on().splitlines()[:3]
    many = report_on(candidate=plain | {"remarks": [f"field_{n}: merged" for n in range(400)]})
    assert many.index("Failed or not settled") < many.index("Remarks on the data") < many.index("<details>")
    assert "- field_9: merged\n- … and 390 more: see verdict.json\n" in many


def test_what_is_the_same_takes_one_line():
    """And a commit with changes that nobody committed is never the same."""
    same = report_on(champion=CANDIDATE)
    assert (
        "The same in both: version, training window, served model trained until, training rows, features, recipe, commit, libraries."
        in same
    )
    assert "What changed: nothing" in same
    dirty = manifest("v", ["wind"], build={"commit": "c0ffee" * 6 + "c0ff-dirty"})
    assert "| commit | c0ffeec0ffee-dirty | c0ffeec0ffee-dirty |" in report_on([], dirty, dirty)


def test_a_line_states_which_model_was_judged_and_which_serves():
    """In a bundle with two models, and in one with one; a manifest that lacks the figures leaves them out."""
    both, one = report_on(), report_on(candidate=CHAMPION)

    assert (
        "**Judged**: the evaluation model, trained on 25,608 rows up to 2013-04-14 23:50, evaluated on 13,189 later rows."
        " **Served**: the release model, the same estimator trained on all 38,797 rows up to 2013-04-28 23:50." in both
    )
    assert (
        "**Served**: the model that was judged; it was trained on 25,608 rows up to 2013-04-14 23:50, evaluated on 13,189"
        " later rows." in one
    )
    assert "trained on  rows" in served_model({"release": [], "data": 3})


def test_libraries_and_the_window_that_differ_are_shown():
    """Each side's own."""
    other = manifest("w", ["wind"], build={"commit": "d", "libraries": {"scikit-learn": "1.6.0"}})
    words = report_on(candidate=other)

    assert "| libraries | only here: scikit-learn 1.6.0 | only here: Python 3.11.7, scikit-learn 1.5.2 |" in words
    assert "The same in both: training window, served model trained until, training rows, features, recipe." in words


def test_rules_are_said_to_be_mains_where_a_proposal_changes_them():
    """Nothing of it where it does not."""
    assert "changes the gate" not in report_on(files=["serve/live.toml", "model/recipe.py"])
    assert "more than <code>serve/live.toml</code>: <code>model/recipe.py</code>." in report_on(
        files=["serve/live.toml", "model/recipe.py"]
    )
    words = report_on(files=["checks/rules/deepchecks_suite.py"])
    assert "It changes the gate's code: <code>checks/rules/deepchecks_suite.py</code>." in words
    assert "The verdict above applied the rules of `main`" in words
    many = report_on(files=[f"checks/{n}.py" for n in range(1000)])
    assert "<code>checks/106.py</code> and 990 more." in many


def test_slice_regressions_are_listed_and_the_worst_first():
    """By the metric's own direction."""
    worse = [("a", 60, 0.5, 0.4), ("b", 70, 0.9, 0.4), ("c", 80, 0.3, 0.4)]
    assert "log_loss is worse than the champion's in 2 of 3: b (0.9000, champion 0.4000, 70 rows); a (" in report_on(
        slices=worse
    )
    assert "roc_auc is worse than the champion's in 1 of 3: c (" in report_on(slices=worse, table=TABLE[1:])
    assert "Segments (slices): the log_loss is not worse than the champion's in any of 1." in report_on(
        slices=worse[2:]
    )


def test_an_error_is_compared_in_per_cent():
    """Of the champion's."""
    row = Compared("mae", 2.0, 3.0, 2.1, 0.0476, 0.01, 0.08, 0.02, outcome="PASS", limit="at least -2.00%")

    assert (
        "| mae ↓ | 2.0000 | 2.1000 | +4.76% | +1.00% to +8.00% | at least -2.00% | ✅ passes | 3.0000 |"
        in report_on(table=[row])
    )


HOSTILE = [
    "| a | b |\n\n# Big\n\n- [x] done",
    "<!-- tidegate: {} --> <img src=x onerror=alert(1)>",
    "@everyone [link](http://x) `code` **bold**",
    "</details></table>\n```\n~~~\n",
    "fixes #123, GH-123, https://evil.example/ and www.evil.example",
    "\u202egnirts\x00\x1b[31m",
    "\ud800 half of a pair",
]
#: The tags of the report itself.
OURS = ("<code>", "</code>", "<details>", "</details>", "<summary>", "</summary>")


def spoilt(evil):
    """A report with *evil* wherever there is somebody else's text."""
    odd = {
        "version": evil,
        "contract": {"features": [{"name": evil, "kind": evil}]},
        "data": {"train": {"rows": evil, "start": evil, "end": evil}},
        "recipe": {"sha256": evil},
        "build": {"commit": evil, "python": evil, "libraries": {evil: evil}},
        "remarks": [evil, evil],
    }
    findings = [
        Finding(evil, outcome, evil, evil, evil, severity)
        for outcome in ("PASS", "FAIL", "NOT_RUN", "INCONCLUSIVE")
        for severity in ("warn", "block")
    ]
    files, slices = [evil, f"checks/{evil}"], [(evil, 60, 0.5, 0.4)]
    return report_on(findings, odd, slices=slices, files=files, charts=CHART, churn=0.1)


def unharmed(words):
    """Its folds, fences, tables and headings are our own, and it mentions nobody."""
    assert words.count("```") == 2
    assert [line for line in words.splitlines() if line.startswith("```")] == ["```mermaid", "```"]
    assert words.count("<details>") == words.count("</details>") == 4
    assert [line for line in words.splitlines() if line.startswith("#")] == [
        "## ❌ REJECT",
        "### ⚠️ This proposal changes the gate",
    ]
    assert len(words) <= MAX_LENGTH
    words.encode()
    for each in OURS:
        words = words.replace(each, "")
    for sign in ("<", ">", "@", "://", "~", "[link]", "**bold**"):
        assert sign not in words.replace("-->", "").replace('x-axis ["', "")
    tables = [line for line in words.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables} <= {4, 5, 10}


@pytest.mark.parametrize("evil", HOSTILE)
def test_nothing_from_data_breaks_out_of_its_place(evil):
    """A category's name, a message of a crash, a recipe's commit."""
    words = spoilt(evil)

    unharmed(words)
    assert "GH-" not in words
    assert "www." not in words


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(), st.text(st.sampled_from("<!->@#`~|*[]()\n\\ a1"), max_size=40)))
def test_no_text_whatever_breaks_out_of_its_place(evil):
    """No marker, no mention, no fence."""
    unharmed(spoilt(evil))


@pytest.mark.parametrize("sign", ["x", "<", "@"])
def test_it_fits_where_it_is_posted(sign):
    """GitHub takes 65,536 characters; what is left out goes as a whole, and is named."""
    many = [replace(FINDINGS[n % 5], rule=f"rule.{n}", observed=sign * 400) for n in range(1000)]
    files = [f"checks/{sign * 400}{n}" for n in range(1000)]
    words = report_on(many, slices=[(sign * 400, 60, 0.5, 0.4)] * 1000, files=files, charts=CHART)

    assert len(words) <= MAX_LENGTH
    assert words.endswith("verdict.json has all of it.\n")
    assert "Left out, to fit here: Rules that pass: 200" in words
    assert words.count("<details>") == words.count("</details>")
    assert words.count("```") % 2 == 0
    assert words.startswith("## ❌ REJECT\n\n**rule.")


def test_the_verdict_is_json_that_anybody_reads():
    """No NaN, no infinity."""
    verdict = judge(FINDINGS, [], True, "")

    assert json.loads(json.dumps([f.__dict__ for f in verdict.findings], allow_nan=False))


def test_slices_that_are_not_settled_are_shown_unfolded():
    """Before the changed predictions, not among the warnings; of many, the first five."""
    open_ = [
        Finding(f"slice.country=c{n}", "INCONCLUSIVE", "gain -0.0480", "at least -0.0100", "Needs rows.", "warn")
        for n in range(7)
    ]
    words = report_on([*open_, Finding("slice.country=d", "INCONCLUSIVE", "seen", "limit", "why", "hold")])
    unfolded = words[: words.index("<details>")]

    assert "Slices that are not settled: 7 (they do not block)" in unfolded
    assert "- **slice.country=c4** ⏳ inconclusive: gain -0.0480; limit: at least -0.0100. Needs rows." in unfolded
    assert "c5" not in words
    assert "… and 2 more; see verdict.json" in unfolded
    assert "Warnings (they do not block)" not in words
    assert unfolded.index("slice.country=d") < unfolded.index("slice.country=c0")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (TABLE[0], "the champion is better"),
        (replace(TABLE[0], baseline=0.49), "**the champion itself is worse than it**"),
        (replace(TABLE[1], baseline=0.75), "**the champion itself is worse than it**"),
        (replace(TABLE[0], champion=None, difference=None), "nothing is live to compare with"),
    ],
)
def test_it_leads_with_the_gain_and_the_simple_tree(row, words):
    """Before the table and the findings, whatever stops the candidate."""
    lines = report_on(table=[row]).split("**Metrics**")[0]

    assert words in lines
    assert ("gain -0.0" in lines.split("\n\n", 3)[2]) == (row.champion is not None)


def test_the_waivers_to_paste_are_folded_and_fenced():
    """A person copies them."""
    words = report_on(accept='[[waiver]]\nrule = "data.rate"')

    assert '\n```toml\n[[waiver]]\nrule = "data.rate"\n```\n' in words

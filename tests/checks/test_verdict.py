"""Findings become a verdict; what could not be checked is never a pass."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.verdict import Finding, Named, judge, rules_changed

OUTCOMES = ["PASS", "FAIL", "NOT_RUN", "INCONCLUSIVE"]
FINDINGS = st.lists(
    st.builds(
        Finding,
        st.sampled_from("abcdef"),
        st.sampled_from(OUTCOMES),
        st.text(max_size=5),
        st.just("limit"),
        st.just("why"),
        st.sampled_from(["block", "hold", "warn"]),
    ),
    max_size=8,
)


def finding(outcome, severity="block", rule="a"):
    return Finding(rule, outcome, "seen", "limit", "why", severity)


@pytest.mark.parametrize(
    ("outcomes", "gains", "decision"),
    [
        ([("PASS", "block")], True, "PROMOTE"),
        ([("PASS", "block")], False, "HOLD"),
        ([("PASS", "block"), ("FAIL", "warn")], True, "PROMOTE"),
        ([("PASS", "block"), ("FAIL", "block")], True, "REJECT"),
        ([("PASS", "block"), ("INCONCLUSIVE", "block")], True, "HOLD"),
        ([("FAIL", "block"), ("INCONCLUSIVE", "block")], True, "REJECT"),
        ([("FAIL", "block")], False, "REJECT"),
        ([("NOT_RUN", "block")], True, "REJECT"),
        ([("NOT_RUN", "warn")], True, "REJECT"),
        ([("INCONCLUSIVE", "warn")], True, "PROMOTE"),
        ([("FAIL", "hold")], True, "HOLD"),
        ([("INCONCLUSIVE", "hold")], True, "HOLD"),
        ([("NOT_RUN", "hold")], True, "REJECT"),
        ([("PASS", "hold")], True, "PROMOTE"),
        ([("FAIL", "hold"), ("FAIL", "block")], True, "REJECT"),
    ],
)
def test_the_decision_is_a_table(outcomes, gains, decision):
    """A rule that could not be checked rejects, be it ever so mild."""
    found = [finding(outcome, severity) for outcome, severity in outcomes]

    assert judge(found, ["a"], gains, "good").decision == decision


@given(FINDINGS, st.booleans())
def test_no_finding_is_lost(findings, gains):
    """Whatever the decision."""
    verdict = judge(findings, [], gains, "good")

    assert verdict.findings == tuple(findings)


@given(FINDINGS, st.sets(st.sampled_from("abcdefgh")))
def test_a_required_rule_that_nobody_heard_of_did_not_run(findings, required):
    """Deepchecks files a crash under 'not run' and passes."""
    verdict = judge(findings, required, True, "good")
    missing = required - {finding.rule for finding in findings}

    assert {f.rule for f in verdict.findings if "did not run" in f.observed} == missing
    if missing:
        assert verdict.decision == "REJECT"


@given(FINDINGS, st.integers(0, 7))
def test_a_worse_finding_never_makes_a_better_verdict(findings, which):
    """Turning one into NOT_RUN rejects."""
    if not findings:
        return
    which %= len(findings)
    worse = [replace(f, outcome="NOT_RUN") if n == which else f for n, f in enumerate(findings)]

    assert judge(worse, [], True, "good").decision == "REJECT"


def test_the_summary_says_what_was_seen_and_the_limit():
    """A reviewer reads this one line."""
    seen = Finding("compare.log_loss", "FAIL", "-0.0406 against the champion", "-0.0050", "why")

    assert judge([seen], [], True, "good").summary == (
        "compare.log_loss fails: -0.0406 against the champion; limit -0.0050."
    )
    assert judge([seen, seen], [], True, "").summary.endswith("; and 1 more.")
    open_ = replace(seen, outcome="INCONCLUSIVE")
    assert judge([open_], [], True, "").summary.startswith("compare.log_loss is inconclusive: -0.04")
    assert judge([], ["x"], True, "").summary == "x could not be checked."
    assert judge([], [], True, "It is better.").summary == "It is better."
    assert "byte for byte" in judge([], [], False, "").summary


@pytest.mark.parametrize(
    ("findings", "first"),
    [
        ([("INCONCLUSIVE", "block", "compare.log_loss"), ("FAIL", "hold", "data.reused")], "data.reused fails"),
        ([("FAIL", "block", "model.degradation"), ("FAIL", "block", "upstream.units")], "upstream.units fails"),
        ([("NOT_RUN", "block", "compare.log_loss"), ("FAIL", "block", "leak.solo")], "leak.solo fails"),
        ([("FAIL", "block", "leak.solo"), ("NOT_RUN", "block", "compare.log_loss")], "leak.solo fails"),
        ([("FAIL", "block", "compare.log_loss"), ("FAIL", "hold", "data.reused")], "data.reused fails"),
        ([("FAIL", "hold", "champion.roc_auc"), ("FAIL", "block", "leak.solo")], "leak.solo fails"),
        ([("INCONCLUSIVE", "block", "slice.a=b"), ("INCONCLUSIVE", "hold", "data.reused")], "data.reused is incon"),
    ],
)
def test_the_summary_names_what_changed_before_what_follows_from_it(findings, first):
    """An unsettled or failed comparison follows from changed rows."""
    verdict = judge([finding(*each) for each in findings], [], True, "")

    assert verdict.summary.startswith(first)
    assert "; and 1 more" in verdict.summary


@pytest.mark.parametrize(
    ("rule", "severity", "waived", "named"),
    [
        ("upstream.missing", "warn", False, True),
        ("data.rate", "warn", False, True),
        ("data.rate", "warn", True, False),
        ("drift.features", "warn", False, False),
        ("data.looks", "warn", False, False),
    ],
)
def test_a_reported_change_of_the_rows_comes_before_an_unsettled_comparison(rule, severity, waived, named):
    """It may be the cause; drift of features is usual, and the looks are no change."""
    open_ = finding("INCONCLUSIVE", rule="compare.log_loss")
    more = [finding("PASS", rule=f"waivers.{rule}")] if waived else []
    verdict = judge([open_, finding("FAIL", severity, rule), *more], [], True, "")

    assert verdict.decision == "HOLD"
    assert verdict.summary.startswith(f"{rule} reports: seen; compare" if named else "compare.log_loss is inconclusive")


def test_it_travels_as_json():
    """verdict.json is what `land` reads."""
    verdict = judge([finding("PASS")], [], True, "good")
    written = verdict.to_json(Named("v2", "d2"), None, {"fresh_rows": 3})

    assert written["format"] == 1
    assert written["candidate"] == {"version": "v2", "digest": "d2"}
    assert written["champion"] is None
    assert written["fresh_rows"] == 3
    assert written["findings"][0]["rule"] == "a"


def test_the_rules_that_a_proposal_changes_are_named_the_limits_first():
    """Whatever else it changes is not about judging."""
    files = ["serve/live.toml", "checks/rules/deepchecks_suite.py", "checks/thresholds.toml", "model/recipe.py"]

    assert rules_changed(files) == ["checks/thresholds.toml", "checks/rules/deepchecks_suite.py"]
    assert rules_changed(["serve/live.toml", "checks.py"]) == []

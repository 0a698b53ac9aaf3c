"""A waiver has a rule, a reason, an author and an end; one that is not needed fails."""

from datetime import date

import pytest

from checks.verdict import Finding, judge
from checks.waivers import Waiver, read_waivers, waive, waived
from contracts.thresholds import ConfigurationError

TODAY = date(2026, 11, 24)
GOOD = 'rule = "a"\nreason = "it is known."\nauthor = "ann"\nuntil = 2026-12-31\n'


def found(outcome, severity="block", rule="a"):
    return Finding(rule, outcome, "seen", "limit", "why", severity)


@pytest.mark.parametrize(
    ("outcome", "severity", "until", "decision", "words"),
    [
        ("FAIL", "block", "2026-12-31", "PROMOTE", "Waived until 2026-12-31 by ann: it is known."),
        ("FAIL", "block", "2026-11-24", "PROMOTE", "Waived until 2026-11-24"),
        ("INCONCLUSIVE", "block", "2026-12-31", "PROMOTE", "Waived"),
        ("FAIL", "hold", "2026-12-31", "PROMOTE", "Waived until 2026-12-31"),
        ("INCONCLUSIVE", "hold", "2026-12-31", "PROMOTE", "Waived"),
        ("FAIL", "block", "2026-11-23", "REJECT", "it expired. Waived until 2026-11-23"),
        ("PASS", "block", "2026-12-31", "REJECT", "the rule does not fail"),
        ("FAIL", "warn", "2026-12-31", "REJECT", "the rule does not fail"),
        ("NOT_RUN", "block", "2026-12-31", "REJECT", "could not be checked"),
    ],
)
def test_what_a_waiver_does_is_a_table(outcome, severity, until, decision, words):
    """A rule that could not be checked is not a pass, with or without a waiver."""
    waiver = Waiver("a", "it is known.", "ann", date.fromisoformat(until))
    findings = waive([found(outcome, severity), found("PASS", rule="b")], [waiver], TODAY)
    verdict = judge(findings, ["a", "b"], True, "good")
    (finding,) = [f for f in findings if f.rule == "waivers.a"]

    assert verdict.decision == decision
    assert words in finding.observed
    assert waived(findings) == (["a"] if decision == "PROMOTE" else [])


def test_a_waiver_is_stated_in_the_finding():
    """The reason for the failure remains."""
    waiver = Waiver("a", "it is known", "ann", date(2026, 12, 31))
    first = waive([found("FAIL")], [waiver], TODAY)[0]

    assert (first.outcome, first.severity) == ("FAIL", "warn")
    assert first.why == "Waived until 2026-12-31 by ann: it is known. why"


def test_the_file_is_read_and_may_be_missing(tmp_path, root):
    """The repository's own waives nothing."""
    path = tmp_path / "waivers.toml"
    assert read_waivers(path) == []
    path.write_text("[[waiver]]\n" + GOOD)
    assert read_waivers(path) == [Waiver("a", "it is known.", "ann", date(2026, 12, 31))]
    assert read_waivers(root / "checks/waivers.toml") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[[waiver]]\n" + GOOD.replace("2026-12-31", '"soon"'),
            "until is 'soon'; expected a day such as 2026-12-31, without quotes",
        ),
        ("[[waiver]]\n" + GOOD.replace('"ann"', '" "'), "waiver 1: author is ' '; expected text"),
        ("[[waiver]]\n" + GOOD.replace("reason", "why"), "why is unknown; keys are rule, reason, author, until"),
        (("[[waiver]]\n" + GOOD) * 2, "a is waived twice"),
        ("[waivers]\n", "waivers is unknown; expected [[waiver]]"),
        ("[waiver]\n" + GOOD, "waiver is one table; expected a [[waiver]] for each"),
        ("[[waiver", "cannot be read"),
    ],
)
def test_every_mistake_is_reported(tmp_path, text, words):
    """A misspelt file waives no rule."""
    path = tmp_path / "waivers.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_waivers(path)
    assert words in str(caught.value)

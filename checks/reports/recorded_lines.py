"""The hidden lines of a report: what later verdicts and the ML Test Score read in the release notes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from checks.comparison.earlier_gains import gains_line
from checks.late_outcomes.second_look import late_lines
from checks.measurements import Measurements, aged_gains
from checks.ml_test_score.recorded_runs import rules_line
from checks.rules.holdout_reuse import use_line
from checks.rules.repeated_holds import Hold, held_line
from checks.verdict import Finding


def hidden_lines(measured: Measurements, hold: Hold, findings: Sequence[Finding], today: date) -> str:
    """The lines for a report on the day *today*; *hold* has the rules that hold the candidate, if any do."""
    measures = {"importance"} if measured.review.importances else set()
    lines = ["", rules_line(findings, measures, today)]
    if measured.comparison.table:
        lines += [use_line(measured.use), gains_line(measured.gains, aged_gains(measured))]
    lines += late_lines(measured.comparison.verdict, measured.again.looks)
    if hold.rules:
        lines.append(held_line(hold))
    return "".join(f"{line}\n" for line in lines)

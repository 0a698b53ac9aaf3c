"""The second half of a backtest: replay the fitted nights under each policy, and describe what they realised."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from backtest.night_judgement import PACKAGES, Judgement, Question, judge, lost
from backtest.policies import Policy
from backtest.policy_replay import PolicyPath, replay
from backtest.replayed_nights import is_monthly
from backtest.reports.report_parts import Part, lengths_part, policy_part, rules_part, staleness_part
from backtest.reports.rule_change import PRESENT, PROPOSED, change_part
from backtest.results.length_results import length_results
from backtest.results.policy_results import PolicyResult, results
from backtest.results.realised_loss import Realised, table
from backtest.results.rule_outcomes import judged_nights, missed, outcomes
from backtest.results.staleness_curve import Point, staleness, to_json
from backtest.time_left import progress
from drill.console import say
from drill.drill_digest import identity
from drill.workers import spread

JUDGED = "judged"


@dataclass(frozen=True)
class Backtest:
    """What was found: the results by policy, the staleness curve, and the parts of the report with its first sentences."""

    results: list[PolicyResult]
    realised: Realised
    curve: list[Point]
    lead: list[str]
    parts: list[Part]

    def lines(self) -> list[str]:
        """The results for the terminal."""
        metric, width = self.realised.metric, max(len(each.name) for each in self.results)
        return [
            f"{each.name:<{width}}  {metric} {self.realised.shown(each.loss.value):.4f}, landed {each.landed}"
            f" of {len(each.path.steps)}"
            for each in self.results
        ]


def backtest(nights: Mapping[str, Any], policies: Sequence[Policy], out: Path, *, full: bool) -> Backtest:
    """Replay *nights* (the content of nights.json); verdicts are stored in the folder *out*."""
    fits = nights["nights"]
    days = [date.fromisoformat(each["today"]) for each in fits]
    realised = table(
        nights["metric"], nights["measured"], [(day - days[0]).days for day in days], [str(day) for day in days]
    )
    of = identity(packages=PACKAGES)

    curves = [json.dumps(to_json(staleness(realised.until(night)), realised.metric, "")) for night in range(len(days))]

    def ask(policy: Policy, night: int, champion: int, notes: tuple[str, ...]) -> Question:
        candidate, live, first = (fits[number]["bundle"] for number in (night, champion, 0))
        return Question(str(days[night]), candidate, live, first, policy.limits, of, notes, curves[night], full)

    def answer(questions: Sequence[Question]) -> list[Judgement]:
        found = dict(spread(_judged, [(question, out / JUDGED) for question in questions], _lost))
        return [found[question.key] for question in questions]

    began, times = time.monotonic(), list[float]()

    def report(line: str) -> None:
        times.append(time.monotonic() - began)
        say(progress(times, len(days) - 1, f"{days[len(times)]} {line}"))

    say(f"replaying {len(days) - 1} decisions under {', '.join(each.name for each in policies)} ...")
    monthly = [is_monthly(days, number) for number in range(len(days))]
    paths = replay(policies, [bool(each["bundle"]) for each in fits], monthly, ask, answer, report)
    return described(paths, realised, nights)


def described(paths: Sequence[PolicyPath], realised: Realised, nights: Mapping[str, Any]) -> Backtest:
    """The results and the report of the *paths*."""
    names = [path.policy.name for path in paths]
    gate = [path for path in paths if path.policy.kind == "gate"]
    against = PRESENT if PRESENT in names else gate[0].policy.name if gate else names[0]
    found, curve = results(paths, realised, against), staleness(realised)
    labels = list(realised.labels)
    other = {labels.index(day): values for day, values in nights["lengths"].items() if values}
    parts = [policy_part(found, realised, against), staleness_part(curve, realised.metric)]
    parts.append(lengths_part(length_results(other, realised), len(other)))
    for path in gate:
        margin = path.policy.limits.gate.compare.margins(nights["task"]).margins[realised.metric]
        judged = judged_nights(path, realised)
        parts.append(rules_part(outcomes(judged, margin), missed(judged, margin), realised, path.policy.name, margin))
    lead = _lead(found, realised, nights)
    if {PRESENT, PROPOSED} <= {*names}:
        part = change_part(found, realised)
        parts.insert(0, part)
        lead.insert(0, part.words[0])
    return Backtest(found, realised, curve, lead, parts)


def _lead(found: Sequence[PolicyResult], realised: Realised, nights: Mapping[str, Any]) -> list[str]:
    best = min(found, key=lambda each: each.loss.value)
    left_out = [each for each in nights["nights"] if each["left_out"]]
    lines = [
        (
            f"{len(realised.days) - 1} decisions from {realised.labels[1]} to {realised.labels[-1]}, one every"
            f" {nights['every']} days, of {nights['recipe']}. The best was {best.name}, with a realised {realised.metric} of"
            f" {realised.shown(best.loss.value):.4f}; all policies begin with the model of {realised.labels[0]}."
        )
    ]
    if left_out:
        why = f"{left_out[0]['today']}: {left_out[0]['left_out']}"
        lines.append(f"{len(left_out)} nights have no model, and the champion stayed; {why}")
    return lines


def _judged(question: Question, kept: Path) -> tuple[str, Judgement]:
    return question.key, judge(question, kept)


def _lost(question: Question, kept: Path) -> tuple[str, Judgement]:
    return question.key, lost(question, kept)

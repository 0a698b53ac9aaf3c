"""The charts of the report: the metric by day, the scores, and calibration.

Mermaid has no legend, so bars are always the candidate and the line the champion, and it is said.
Bars begin at zero: their lengths are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from checks.comparison.calibration import reliability
from checks.comparison.weighted_metrics import METRICS
from checks.evidence import Array, Evidence
from reporting.mermaid import number, xychart

MAX_DAYS = 31
BINS = 10
_WITH = "Bars: candidate. Line: champion."
_ALONE = "Bars: candidate."


@dataclass(frozen=True)
class Chart:
    """A bar for each label, with or without a line over them; *words* describe it.

    *axis* is the quantity of the bars with its unit, *across* that of the labels.
    """

    title: str
    axis: str
    words: str
    labels: tuple[str, ...]
    bars: tuple[float, ...]
    line: tuple[float, ...] = ()
    across: str = ""

    def mermaid(self) -> str:
        """Markdown: the words, for who cannot see it, and the chart."""
        lines = [self.line] if self.line else []
        drawn = xychart(self.title, self.axis, self.labels, self.bars, lines, from_zero=True)
        return f"{self.words}\n\n{drawn}"


def charts(evidence: Evidence, metric: str) -> str:
    """The charts as Markdown."""
    return "\n\n".join(chart.mermaid() for chart in drawn(evidence, metric))


def drawn(evidence: Evidence, metric: str) -> list[Chart]:
    """The *metric* by day, the scores, and for a probability what it came to."""
    found = [*_days(evidence, metric), *_scores(evidence)]
    if evidence.contract.task != "regression":
        found += _calibration(evidence)
    return found


def _days(evidence: Evidence, metric: str) -> list[Chart]:
    fresh, function = evidence.fresh, METRICS[metric]
    days = evidence.days[fresh]
    labels, bars, line = [], [], []
    for day in np.unique(days)[-MAX_DAYS:]:
        rows = days == day
        truth = evidence.truth[fresh][rows]
        values = [function(truth, scores[fresh][rows])(None) for scores in _both(evidence)]
        if np.isfinite(values).all():  # a day of one class has no AUC
            labels.append(str(day)[5:])
            bars.append(values[0])
            line += values[1:]
    if len(labels) < 2:
        return []
    words = f"{metric} by day. {_key(evidence)}"
    return [Chart(f"{metric} by day", metric, words, tuple(labels), tuple(bars), tuple(line), "day")]


def _scores(evidence: Evidence) -> list[Chart]:
    """How often which score is given."""
    chances = [_chance(scores[evidence.fresh]) for scores in _both(evidence)]
    low, high, what = 0.0, 1.0, "probability"
    if evidence.contract.task == "regression":
        low, high = (float(each) for each in np.percentile(np.concatenate(chances), [1, 99]))
        what = "prediction"
    elif evidence.contract.task == "multiclass":
        what = "probability of the likeliest class"
    if not low < high:
        return []
    edges = np.linspace(low, high, BINS + 1)
    shares = [np.histogram(np.clip(each, low, high), edges)[0] / len(each) * 100 for each in chances]
    labels = tuple(f"{number(a, 3)} to {number(b, 3)}" for a, b in pairwise(edges))
    bars, *line = (tuple(map(float, each)) for each in shares)
    words = f"Rows by {what}. {_key(evidence)}"
    return [Chart(f"Rows by {what}", "% of rows", words, labels, bars, line[0] if line else (), what)]


def _calibration(evidence: Evidence) -> list[Chart]:
    """Candidate and champion, a chart each: here the line is what was predicted."""
    charts: list[Chart] = []
    truth = evidence.truth[evidence.fresh]
    for name, scores in zip(("candidate", "champion"), _both(evidence), strict=False):
        found = reliability(truth, scores[evidence.fresh], BINS)
        predicted, observed, _ = zip(*found, strict=True)
        labels = tuple(str(tenth) for tenth in range(1, len(found) + 1))
        title = f"Calibration of the {name}"
        words = f"{title}, in tenths of the rows, the least likely first. Bars: observed. Line: predicted."
        charts.append(Chart(title, "share", words, labels, observed, predicted, "tenth of the rows"))
    return charts


def _both(evidence: Evidence) -> list[Array]:
    champion = [] if evidence.champion is None else [evidence.champion]
    return [evidence.holdout_scores, *champion]


def _chance(scores: Array) -> Array:
    return np.asarray(scores if scores.ndim == 1 else scores.max(axis=1))


def _key(evidence: Evidence) -> str:
    return _ALONE if evidence.champion is None else _WITH

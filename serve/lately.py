"""What happened lately, for people: requests, how long answers took, which scores were given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from serve.chart import Line, bars, legend, lines
from serve.families import ANSWERS, SCORES, SECONDS
from serve.tally import Totals

MINUTES = 15
NOTHING = "Nothing was answered in the last 15 minutes."


@dataclass(frozen=True)
class Lately:
    """Numbers of the last minutes, and their charts."""

    rows: int
    answers: int
    median: str
    slow: str
    charts: Sequence[tuple[str, Markup, Markup, str]]


def lately(minutes: Sequence[Totals]) -> Lately:
    """What *minutes*, the last of which is not over, amount to."""
    times = [_summed(minute, ANSWERS)[:-1] for minute in minutes]
    whole = [sum(column) for column in zip(*times, strict=False)] if any(times) else []
    median, slow = quantile(whole, 0.5), quantile(whole, 0.99)
    scores = _by_arm(minutes)
    counted = [Line("batches and single rows", [sum(each) for each in times])]
    took = [
        Line("half were faster (p50)", [_milli(quantile(each, 0.5)) for each in times]),
        Line("99 of 100 were faster (p99)", [_milli(quantile(each, 0.99)) for each in times]),
    ]
    ends = (f"{MINUTES} min ago", "now")
    rows = int(sum(sum(values) for _, _, values in scores))
    told = NOTHING if not rows else ""
    names = [Line(name, _shares(values)) for name, _, values in scores]
    of_scores = _ends(scores[0][1]) if scores else ("", "")
    charts = [
        (
            "Answers a minute",
            bars("asked", "Answers a minute", told or _peak(counted[0].values), counted, ends, ""),
            Markup(""),
            told,
        ),
        (
            "Time to answer",
            lines(
                "took", "Time to answer, in milliseconds",
                told or f"Over all: half within {_said(median)}, 99 of 100 within {_said(slow)}.",
                took, ends, "ms",
            ),
            legend(took),
            told,
        ),
        (
            "Scores",
            bars(
                "scores", "Scores, in percent of an arm's", told or _mostly(scores), names,
                of_scores, "%",
            ),
            legend(names),
            told,
        ),
    ]  # fmt: skip
    return Lately(rows, int(sum(whole)), _said(median), _said(slow), charts)


def quantile(buckets: Sequence[float], share: float) -> float | None:
    """Seconds within which *share* of the answers were given, interpolated within a bucket."""
    wanted, below = sum(buckets) * share, 0.0
    if not wanted:
        return None
    low = 0.0
    for bound, count in zip((*SECONDS, SECONDS[-1]), buckets, strict=False):
        if count and below + count >= wanted:
            return low + (bound - low) * (wanted - below) / count
        below, low = below + count, bound
    return low


def _by_arm(minutes: Iterable[Totals]) -> list[tuple[str, tuple[float, ...], list[float]]]:
    """Scores by arm, over all versions with the same buckets as the newest."""
    found: dict[str, dict[tuple[float, ...], list[float]]] = {}
    for minute in minutes:
        for series, values in minute.items():
            if series.family == SCORES and any(values[:-1]):
                arm = found.setdefault(series.labels[1], {})
                before = arm.get(series.bounds, [0.0] * (len(values) - 1))
                arm[series.bounds] = [a + b for a, b in zip(before, values, strict=False)]
    order = sorted(found, key=lambda name: (name != "champion", name))
    return [(name, *list(found[name].items())[-1]) for name in order]


def _ends(bounds: Sequence[float]) -> tuple[str, str]:
    return f"{round(2 * bounds[0] - bounds[1], 9):g}", f"{bounds[-1]:g}"


def _shares(values: list[float]) -> list[float]:
    """In percent, so that arms of different size can be compared."""
    kept = values if values[-1] else values[:-1]  # nothing was above the last bound
    return [100 * value / sum(values) for value in kept]


def _summed(minute: Totals, family: str) -> list[float]:
    return next((values for series, values in minute.items() if series.family == family), [])


def _milli(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3


def _said(seconds: float | None) -> str:
    if seconds is None:
        return "none"
    return f"{seconds * 1e6:.0f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms"


def _peak(values: Sequence[float | None]) -> str:
    most = max(value or 0 for value in values)
    return f"At most {most:,.0f} in a minute, {values[-1] or 0:,.0f} in the present one."


def _mostly(scores: Sequence[tuple[str, tuple[float, ...], list[float]]]) -> str:
    words = []
    for name, bounds, values in scores:
        at = max(range(len(values)), key=values.__getitem__)
        where = f"up to {bounds[at]:g}" if at < len(bounds) else f"above {bounds[-1]:g}"
        words.append(f"{name}: {sum(values):,.0f} scores, most often {where}")
    return "; ".join(words) + "."

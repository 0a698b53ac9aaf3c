"""A gain as text, and what a comparison that is not settled needs: only what can be had."""

from __future__ import annotations

import math

from scipy import special

from checks.comparison.bootstrap import Gap
from checks.comparison.weighted_metrics import RELATIVE
from checks.verdict import Outcome

#: A holdout more than so many times as long is no advice.
MAX_TIMES = 4
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def gain(metric: str, value: float) -> str:
    """A gain in the *metric* as text, with its sign."""
    return f"{value:+.2%}" if metric in RELATIVE else f"{value:+.4f}"


def amount(metric: str, value: float) -> str:
    """The size of a gain or a loss, without a sign, and of what: 0.0120 of log_loss, or 1.20% of mae."""
    size = f"{abs(value):.2%}" if metric in RELATIVE else f"{abs(value):.4f}"
    return f"{size} of {metric}"


def gain_over(gap: Gap, against: str) -> str:
    """The gain over *against* with its confidence interval, as text."""
    interval = f"{gap.days} days: too few for an interval"
    if gap.low is not None and gap.high is not None:
        interval = f"{gap.confidence:.0%} CI {gain(gap.metric, gap.low)} to {gain(gap.metric, gap.high)}"
    earlier = f", with {count(gap.periods, 'earlier period')}" if gap.periods else ""
    return f"gain {gain(gap.metric, gap.value)} over {against} ({interval}{earlier})"


def settled(gap: Gap, limit: float) -> Outcome:
    """Whether the gain is at least *limit*, with the stated confidence."""
    if gap.low is None or gap.high is None:
        return "INCONCLUSIVE"
    return "PASS" if gap.low >= limit else "FAIL" if gap.high < limit else "INCONCLUSIVE"


def more_rows(gap: Gap, limit: float) -> int | None:
    """About how many more labelled rows would settle the comparison, to two digits.

    None beyond the forecast, and where the holdout does not get so many days.
    """
    days = gap.days_to_settle(limit)
    if days is None or not gap.days or gap.days + days > (gap.holdout_days or math.inf):
        return None
    return int(float(f"{days * gap.rows / gap.days:.2g}"))


def missing(gap: Gap, limit: float) -> str:
    """What an inconclusive comparison needs, and if this holdout cannot give it, what can be attained with it."""
    if not math.isfinite(gap.value):
        why = "the error to compare with is 0" if gap.metric in RELATIVE else "one of the classes is absent"
        return f"The metric is undefined on these rows: {why}."
    if gap.low is None:
        return f"The rows cover {count(gap.days, 'day')}; a confidence interval needs more."
    rows, days = more_rows(gap, limit), gap.days_to_settle(limit)
    if rows is not None and days is not None:
        more = f"about {rows:,} more labelled rows, {count(days, 'day')} at this rate"
        return (
            f"The estimate is below the limit; confirming it needs {more}." if gap.value < limit else f"Needs {more}."
        )
    if not gap.holdout_days:
        return "The gain is so close to the limit that no realistic number of rows settles it."
    holdout = f"this holdout of {count(gap.holdout_days, 'day')}"
    return f"Not attainable with {holdout}; what is attainable: {_attainable(gap, limit, days)}"


def count(number: int, what: str) -> str:
    """So many of *what*; small numbers as words."""
    word = _NUMBERS[number] if number < len(_NUMBERS) else f"{number:,}"
    return f"{word} {what}" + ("" if number == 1 else "s")


def _attainable(gap: Gap, limit: float, days: int | None) -> str:
    """The gains that all days of the holdout settle, and the length of a holdout that settles this one."""
    error = gap.error * math.sqrt(gap.days / gap.holdout_days)
    far = error * float(special.stdtrit(gap.freedom, (1 + gap.confidence) / 2))
    found = f"a gain above {gain(gap.metric, limit + far)} or below {gain(gap.metric, limit - far)} is settled"
    if days is None or gap.days + days > MAX_TIMES * gap.holdout_days:
        return f"{found}."
    return f"{found}; or this one with a holdout of {gap.days + days} days, if the gain stays as it is."

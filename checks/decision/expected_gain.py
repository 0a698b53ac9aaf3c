"""The expected gain of landing a candidate, and the chance that it is a loss: a decision under a normal posterior.

With y the measured gain over the champion, e its standard error, a the days by which the champion's evaluated model is
older, and b those by which its served model is:

    y = q + s(a) + u + error,   error ~ N(0, e²)  the comparison
    q ~ N(0, t²)                                  what changed and stays: data, features, estimator
    s(a) ~ N(S(a), v(a))                          staleness, estimated from the models before
    u ~ N(0, w²)                                  what the holdout's period adds, and the next period does not

    d = q + s(b)                                  the gain of landing
    k = (t² + v(a)) / (t² + v(a) + w² + e²)
    E[d | y] = S(a) + k (y - S(a)) + S(b) - S(a)
    V[d | y] = k (w² + e²) + |v(b) - v(a)|

It lands where E[d | y] > 0 and P(d < -margin | y) < max_risk: the action with the larger expected value (Raiffa and
Schlaifer 1961, ch. 5), within a bound on the risk of a loss. The prior is empirical Bayes (Robbins 1956; Efron and Morris
1975): S, v and w come from the ledger of earlier verdicts or a backtest. Before there are any, S and v are what models in
general lose by ageing (`checks.decision.age_ledger`), and w is 0.

t is the margin: what a retrain changes for good is about as large as what would be accepted. Gains of earlier candidates
that vary by more than their errors and that do so by their periods (w): the gain of the *same* two models changed from one
period to the next by 2 to 3 times its standard error in backtests of flights, hotel bookings and rented bikes. If all of it
were taken to stay, one bad month would hold the next candidates on such a stream, and the chance of a loss could never fall
below `max_risk`.
The mean is moved from y + S(b) - S(a) by the root of w² + e² at most (a limited translation; Efron and Morris 1972): a
candidate that measures far below what models before it did is not like them, and has a fault that the prior does not know.
The sum of many retrains is not bounded by the margin, so in a comparison with the anchor all that varies is taken to stay.
Candidate and champion are compared on the same rows, so a comparison has seen the champion's greater age already: only
the difference of S(b) and S(a) is added.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

from checks.comparison.bootstrap import Gap
from checks.decision.gain_text import amount, count, gain
from checks.decision.staleness import Staleness
from checks.verdict import Outcome


@dataclass(frozen=True)
class Ages:
    """The days by which another model is older than the candidate: as they were *compared*, and as *served*."""

    compared: float = 0.0
    served: float = 0.0


@dataclass(frozen=True)
class ExpectedGain:
    """The gain in *metric* that landing is expected to have: *mean* with its standard *error*.

    The mean is the sum of *changed*, by the comparison, with its interval from *low* to *high*, and of *fresher*, by being
    *days* younger. *daily* is what the champion loses by one more day, *source* what that is known from, "" where it is assumed.
    *risk* is the chance that the gain is below minus the *margin*.
    """

    metric: str
    mean: float
    error: float
    changed: float
    low: float
    high: float
    fresher: float
    days: float
    daily: float
    margin: float
    risk: float
    source: str = ""

    def outcome(self, max_risk: float) -> Outcome:
        """PASS if landing is expected to earn, and its risk is below *max_risk*."""
        return "PASS" if self.mean > 0 and self.risk < max_risk else "INCONCLUSIVE"


def expected_gain(
    gap: Gap, margin: float, known: Staleness, ages: Ages, *, of_many: bool = False
) -> ExpectedGain | None:
    """The posterior of the gain; None where the comparison has no interval. *known* is in the unit of the gain.

    *of_many*: many retrains lie between the two models, so that all that varies is taken to stay.
    """
    if gap.low is None or gap.high is None:
        return None
    normal = float(special.ndtri((1 + gap.confidence) / 2))
    by_days = (gap.high - gap.low) / 2 / normal  # widened for few days and for the effect of the period
    varies = max(margin, known.spread or 0.0)
    spread = varies if of_many else margin
    error = math.sqrt(by_days**2 + varies**2 - spread**2)
    (seen, of_seen), (served, of_served) = known.after(ages.compared), known.after(ages.served)
    prior = spread**2 + of_seen**2
    total = prior + error**2
    share = prior / total if total else 1.0
    surprise = gap.value - seen
    moved = min(max((share - 1) * surprise, -error), error)
    mean = gap.value + moved + served - seen
    variance = share * error**2 + abs(of_served**2 - of_seen**2)
    fresher = served + (of_seen**2 / total * surprise if total else 0.0)
    changed = mean - fresher
    far = normal * spread * math.sqrt(max(0.0, 1 - spread**2 / total)) if total else 0.0
    if abs(moved) == error:  # unlike the models before: the prior does not narrow the interval
        far = normal * error
    return ExpectedGain(
        gap.metric,
        mean,
        math.sqrt(variance),
        changed,
        changed - far,
        changed + far,
        fresher,
        ages.served,
        known.daily(ages.served),
        margin,
        _below(-margin, mean, math.sqrt(variance)),
        known.source,
    )


def sentence(found: ExpectedGain, money: str = "") -> str:
    """The expected gain in words; *money* is what it is a day, "" where a decision has no worth."""
    verb = "earn" if found.mean > 0 else "cost"
    age = days_of(found.days)
    by_age = f"{gain(found.metric, found.fresher)} by being {age} {'fresher' if found.days >= 0 else 'older'}"
    if not found.source:
        by_age += ", which is assumed until verdicts show it"
    return (
        f"expected to {verb} {amount(found.metric, found.mean)} a row{f' ({money})' if money else ''}:"
        f" {gain(found.metric, found.changed)} by the comparison ({gain(found.metric, found.low)} to"
        f" {gain(found.metric, found.high)}), {by_age}; chance of being worse by more than"
        f" {amount(found.metric, found.margin).partition(' of ')[0]}: {found.risk:.0%}"
    )


def waiting(found: ExpectedGain, max_risk: float) -> str:
    """How long it may cost less to wait than to land."""
    if found.mean > 0:
        return (
            f"The chance of a loss beyond the margin is not below {max_risk:.0%}. On average waiting does not cost less than"
            f" landing, for any number of days: each costs {amount(found.metric, found.mean)} a row."
        )
    if found.daily <= 0:
        known = f"{found.source} show no loss by it" if found.source else "no earlier verdict shows a loss by it yet"
        return f"Waiting costs less than landing for as long as the champion does not lose by being older; {known}."
    days, loses = math.ceil(-found.mean / found.daily), "loses" if found.source else "is assumed to lose"
    return (
        f"The champion {loses} {amount(found.metric, found.daily)} a day by being older, so waiting costs less than landing"
        f" for about {count(days, 'day')}."
    )


def days_of(days: float) -> str:
    """An age difference as text."""
    return count(round(abs(days)), "day")


def _below(limit: float, mean: float, error: float) -> float:
    return float(special.ndtr((limit - mean) / error)) if error > 0 else float(mean < limit)

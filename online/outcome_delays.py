"""How long outcomes take, by what a bundle's manifest says of it; and what a row without an outcome says meanwhile.

Early outcomes are unlike the rest: a cancellation is known before a stay. If U_c(a) is the share of class c whose outcome
is unknown at age a, a row that is unknown at age a is of the second class with

    P(1 | x, unknown at a) = sigmoid(z + log(U_1(a) / U_0(a)))                    (Chapelle 2014, Modeling delayed feedback)

so a row without an outcome enters with this expectation, at first with the score itself, which teaches nothing. When its
outcome is known, the expectation is replaced by the outcome. The sum over a cohort has no bias at any age.
Where this is not known of a bundle, rows teach when their cohort is whole: at the age at which 90 % are known.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from online.portable_math import exp, log

HOURS = 24
#: Hours for which a row waits for its outcome at least, and at most.
MIN_HORIZON, MAX_HORIZON = 30 * HOURS, 400 * HOURS
#: A share of unknown outcomes counts as at least this.
MIN_SHARE = 1e-4
#: Expectations are brought up to date at ages that grow by this factor, and at first by an hour.
GROWTH = 1.25


@dataclass(frozen=True)
class DelayCurves:
    """*wait*: the age in hours at which a row teaches; None if it is not known yet, so that none does.

    *known* are pairs of an age in hours and the share that is known, ascending, for the first and the second class; without
    them no row enters with an expectation. *horizon*: hours for which a row waits for its outcome.
    """

    wait: int | None = 0
    known: tuple[tuple[tuple[float, float], ...], ...] = ()
    horizon: int = MIN_HORIZON
    #: The age from which outcomes count as evidence for or against the correction.
    whole: int = 0

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> DelayCurves:
        """The curves of a bundle. A manifest without `label_delay` has outcomes that are known at once, or after `maturity`."""
        late = manifest.get("label_delay")
        maturity = manifest["contract"]["target"].get("maturity")
        if maturity:
            return _waiting(-(-maturity // 3600))
        if not isinstance(late, Mapping):
            return cls()
        whole = late.get("whole_after")
        if whole is None:
            return cls(wait=None)
        hours = -(-whole * HOURS // 1)
        if late.get("method") != "expected" or manifest["task"] != "binary":
            return _waiting(hours)
        curves = tuple(_points(each["known_after"]) for each in late["delay"])
        if len(curves) != 2 or not all(curves):
            return _waiting(hours)
        return cls(known=curves, horizon=_horizon(hours), whole=int(hours))

    def offset(self, age: float) -> float:
        """log(U_1 / U_0) after *age* hours: what an unknown outcome adds to the logit of the second class."""
        if not self.known:
            return 0.0
        first, second = (_unknown(curve, age) for curve in self.known)
        return log(second / first)

    @property
    def ages(self) -> tuple[int, ...]:
        """The ages in hours at which expectations are brought up to date."""
        found, age = [0], 1.0
        while self.known and age < self.horizon:
            found.append(int(age))
            age = max(age + 1.0, age * GROWTH)
        return tuple(found)


def _waiting(hours: float) -> DelayCurves:
    return DelayCurves(wait=int(hours), horizon=_horizon(hours), whole=int(hours))


def _horizon(hours: float) -> int:
    return int(min(max(MIN_HORIZON, 2 * hours), MAX_HORIZON))


def _points(known_after: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
    """Ages in hours and shares, from days by share; () if the smallest share was never reached."""
    found = sorted((float(days) * HOURS, float(share)) for share, days in known_after.items() if days is not None)
    rising: list[tuple[float, float]] = []
    for age, share in found:
        if share > (rising[-1][1] if rising else 0.0):
            rising.append((max(age, 1e-3), share))
    return tuple(rising)


def _unknown(curve: Sequence[tuple[float, float]], age: float) -> float:
    """The share that is unknown: exponential between the points of *curve*, and with the last rate beyond them."""
    points = [(0.0, 0.0), *curve]
    n = min(max(bisect.bisect_left([at for at, _ in points], age), 1), len(points) - 1)
    (a, known_a), (b, known_b) = points[n - 1], points[n]
    rate = log((1.0 - known_a) / max(1.0 - known_b, MIN_SHARE)) / max(b - a, 1e-3)
    return max((1.0 - known_a) * exp(-rate * (age - a)), MIN_SHARE)

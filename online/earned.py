"""Whether a correction earns its place: each row is scored with and without it before it teaches.

The difference of the two losses is summed by hour; a confidence sequence of its mean holds at every look, so that a
decision can be taken each hour (Waudby-Smith et al. 2024, "Time-uniform central limit theory and asymptotic confidence
sequences", as in `monitoring.experiment`, whose environment a scorer lacks). Hours are the units, of different size:
their deviation is that of the ratio's linearisation, sum of differences less the mean times the rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

#: The error probability of a decision, the hours at which the sequence is tightest, and the fewest that it is of.
ALPHA, TIGHTEST_HOURS, MIN_HOURS = 0.01, 72.0, 12
#: What having the correction may cost, as a share of the loss of the model alone.
MARGIN = 0.001
#: Rows that were scored both ways, and hours, before a correction is applied.
MIN_ROWS, MIN_HOURS_TO_APPLY = 200, 3
#: Hours after which evidence begins again: "the last days".
EVIDENCE_HOURS = 7 * 24
#: Decisions among which the share that a correction changes is judged.
MIN_DECISIONS = 50
#: Hours of answers that a stopped correction must have been within the limit for, to be a shadow again.
HOURS_WITHIN = 24
#: Half-lives after which outcomes say nothing of the present terms: a thousandth of the information then is left.
STALE_HALF_LIVES = 10.0
#: Standard errors by which the share of an hour must be above the limit.
STANDARD_ERRORS = 3.0


@dataclass
class Evidence:
    """Sums over hours: of hours, rows, differences (loss of the model alone less loss with the correction), and losses."""

    hours: int = 0
    rows: float = 0.0
    gains: float = 0.0
    losses: float = 0.0
    gains_squared: float = 0.0
    rows_squared: float = 0.0
    products: float = 0.0

    def add(self, rows: int, gain: float, loss: float) -> None:
        """An hour's *rows*, and the sums of their differences and losses."""
        self.hours += 1
        self.rows += rows
        self.gains += gain
        self.losses += loss
        self.gains_squared += gain * gain
        self.rows_squared += rows * rows
        self.products += rows * gain

    @property
    def gain(self) -> float:
        """The mean difference of a row."""
        return self.gains / self.rows if self.rows else 0.0

    @property
    def margin(self) -> float:
        """What the correction may cost a row."""
        return MARGIN * self.losses / self.rows if self.rows else 0.0

    @property
    def error(self) -> float:
        """The standard error of `gain`; infinite with fewer than two hours."""
        if self.hours < 2:
            return math.inf
        mean = self.gain
        squares = self.gains_squared - 2.0 * mean * self.products + mean * mean * self.rows_squared
        return math.sqrt(max(squares, 0.0) / (self.hours - 1) * self.hours) / self.rows

    @property
    def half_width(self) -> float:
        """Half the width of the confidence interval of `gain`; infinite with too few hours."""
        if self.hours < MIN_HOURS:
            return math.inf
        surprise = -2.0 * math.log(ALPHA)
        rho = math.sqrt((surprise + math.log(surprise + 1.0)) / TIGHTEST_HOURS)
        spread = self.hours * rho**2 + 1.0
        deviation = self.error * math.sqrt(self.hours)
        return deviation * math.sqrt(2.0 * spread / (self.hours * rho) ** 2 * math.log(math.sqrt(spread) / ALPHA))


@dataclass
class Standing:
    """The *state* of a correction (`online.correction.STATES`), *why*, and what it is decided by.

    shadow: it has not gained by more than its standard error, or no longer gains. applied: it gains. fallback: it surely
    costs more than its margin, until it surely gains again. stopped: it would change too many decisions; a day of
    answers within the limit, or a new champion, and it is a shadow again.

    *lag* is the age in half-lives of the correction at which outcomes count. Evidence is about the terms of then. Beyond one
    half-life it must be a sure gain, and beyond `STALE_HALF_LIVES` it is about other terms: the correction stays a shadow.
    """

    max_flips: float = 0.5
    state: str = "shadow"
    why: str = "no outcome has come in yet"
    evidence: Evidence = field(default_factory=Evidence)
    decisions: int = 0
    flips: int = 0
    hours_within: int = 0
    lag: float = 0.0

    def decided(self, decisions: int, flips: int) -> None:
        """An hour's answers: the number of *decisions*, and of those that the correction would change."""
        self.decisions += decisions
        self.flips += flips
        if self.decisions < MIN_DECISIONS:
            return
        share = self.flips / self.decisions
        error = math.sqrt(self.max_flips * (1.0 - self.max_flips) / self.decisions)
        if share > self.max_flips + STANDARD_ERRORS * error:
            self.hours_within = 0
            words = f"{share:.0%} of the decisions of an hour ({self.flips:,} of {self.decisions:,})"
            self._become("stopped", f"it would change {words}; max_flips is {self.max_flips:g}")
        elif self.state == "stopped":
            self.hours_within += 1
            if self.hours_within >= HOURS_WITHIN:
                self._become("shadow", f"it was within max_flips for {HOURS_WITHIN} hours of answers")
        self.decisions = self.flips = 0

    def measured(self, rows: int, gain: float, loss: float) -> None:
        """An hour's outcomes, of rows that were scored both ways before they taught."""
        if not rows:
            return
        if self.evidence.hours >= EVIDENCE_HOURS:
            self.evidence = Evidence()
        self.evidence.add(rows, gain, loss)
        if self.state == "stopped":
            return
        if self.lag > STALE_HALF_LIVES:
            self.state = "shadow"
            self.why = (
                f"outcomes take {self.lag:.0f} half-lives of the correction: what it gains now is not known in time"
            )
            return
        found = self.evidence
        low, high = found.gain - found.half_width, found.gain + found.half_width
        if self.state == "fallback":
            if low > 0.0:
                self._become("applied", f"it gains again: {self._words()}")
        elif high < -found.margin:
            self._become("fallback", f"it costs more than its margin: {self._words()}")
        elif found.rows < MIN_ROWS or found.hours < MIN_HOURS_TO_APPLY:
            self.why = "evidence begins again" if self.state == "applied" else "too few outcomes yet"
        elif self.state == "shadow":
            gains = low > 0.0 if self.lag > 1.0 else found.gain > found.error
            self.state = "applied" if gains else "shadow"
            self.why = f"it {'gains' if gains else 'does not gain'}: {self._words()}"
        else:
            self.state = "applied" if found.gain > 0.0 else "shadow"
            self.why = f"it {'gains' if found.gain > 0.0 else 'no longer gains'}: {self._words()}"

    def succeed(self) -> None:
        """Go on with a new champion."""
        if self.state == "stopped":
            self.state, self.why, self.evidence = "shadow", "a new champion is live", Evidence()
        self.decisions = self.flips = 0

    def to_json(self) -> dict[str, Any]:
        """What was measured, rounded."""
        found = self.evidence
        half = found.half_width
        return {
            "hours": found.hours,
            "rows": int(found.rows),
            "gain": round(found.gain, 7),
            "half_width": round(half, 7) if math.isfinite(half) else None,
            "loss": round(found.losses / found.rows, 7) if found.rows else None,
        }

    def _become(self, state: str, why: str) -> None:
        self.state, self.why, self.evidence = state, why, Evidence()

    def _words(self) -> str:
        found = self.evidence
        half = found.half_width
        more = f" ± {half:.5f}" if math.isfinite(half) else ""
        return f"{found.gain:+.5f}{more} a row, of {int(found.rows):,} rows"

"""The ledger of ages: each verdict records how candidate and champion compared and how much older the champion was.

The models of past verdicts were compared on the same rows at different ages, so their gains by the difference in age are
the stream's staleness: gain = rate * days + what else changed + error (a random-effects regression through 0; DerSimonian
and Laird 1986). The lines are kept as release notes (`checks.comparison.earlier_gains`), whatever the verdict was, so that
the gains are not those of promoted candidates alone.

Before there are any, the rate is `DAILY` of the loss with a standard deviation as large (a normal prior, which the gains
update): most models lose by ageing (in 91 % of 128 pairs of model and data set; Vela et al. 2022, Scientific Reports 12,
11654), and on the streams that this project measured, a day cost 0.004 to 0.4 % of the loss, with a median of 0.1 %. A quarter
of that is assumed, since a fault costs more than some days of age. A few weeks of gains outweigh it, also where age is
harmless or a retrain harms.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from checks.decision.staleness import AgeLoss, Staleness
from reporting.hidden_lines import recorded_values

#: The key of this ledger in the hidden line `gains` of a report.
KEY = "ages"
#: Observations that the assumed spread of gains counts as.
PRIOR = 4
#: The share of the loss that a day of age is assumed to cost, and the days up to which it is assumed.
DAILY, ASSUMED_DAYS = 0.00025, 28.0


@dataclass(frozen=True, order=True)
class AgedGain:
    """The gain of a candidate over a champion that was trained *older* days before it, on the days *first* to *last*.

    *contract* is the name of the rows' contract, *error* the gain's standard error.
    """

    contract: str
    metric: str
    first: str
    last: str
    candidate: str
    older: float
    value: float
    error: float


def recorded(notes: Iterable[str]) -> list[AgedGain]:
    """The comparisons that release notes record; lines that a person edited are skipped."""
    lines = recorded_values("gains", notes, lambda fields: {_read(each) for each in fields.get(KEY, ())})
    return sorted(each for each in set().union(*lines) if _is_usable(each))


def to_json(gains: Iterable[AgedGain]) -> list[dict[str, object]]:
    """For the hidden line of a report."""
    return [asdict(each) for each in gains if _is_usable(each)]


def staleness(gains: Sequence[AgedGain], metric: str, margin: float, daily: float = 0.0) -> Staleness:
    """The staleness that earlier *gains* in *metric* show, and their spread about it; the *margin* is assumed of that.

    *daily* is the mean and the standard deviation of the prior for the loss of a day; with 0 there is no prior. Comparisons
    on days that earlier ones used as well count by the share of their days that is new.
    """
    mine = [each for each in gains if each.metric == metric and each.older > 0]
    if not mine:
        assumed = AgeLoss(ASSUMED_DAYS, daily * ASSUMED_DAYS, daily * ASSUMED_DAYS)
        return Staleness(metric, (assumed,) if daily > 0 else ())
    older, value, error = (np.array([getattr(each, name) for each in mine]) for name in ("older", "value", "error"))
    share = np.array(_new_shares(mine))
    known = daily**-2 if daily > 0 else 0.0  # the precision of the prior
    rate, spread = 0.0, margin
    for _ in range(5):  # the weights depend on the spread, and the spread on the rate
        weight = share / (error**2 + spread**2)
        precision = known + float((weight * older**2).sum())
        rate = max(0.0, (known * daily + float((weight * older * value).sum())) / precision)
        beyond = float((share * ((value - rate * older) ** 2 - error**2)).sum())
        spread = math.sqrt(max(margin**2, (PRIOR * margin**2 + beyond) / (PRIOR + share.sum())))
    far = max(float(older.max()), ASSUMED_DAYS if daily > 0 else 0.0)
    of_rate = (known + float((share * older**2 / (error**2 + spread**2)).sum())) ** -0.5
    count = f"{len(mine)} earlier verdict{'s' if len(mine) > 1 else ''}"
    return Staleness(metric, (AgeLoss(far, rate * far, of_rate * far),), count, spread)


def _new_shares(gains: Sequence[AgedGain]) -> list[float]:
    """The share of the days of each comparison that is later than those of the comparisons before."""
    shares, until = [], None
    for each in gains:
        first, last = (np.datetime64(day, "D").astype(int) for day in (each.first, each.last))
        begins = first if until is None else max(first, until + 1)
        shares.append(max(0.0, (last - begins + 1) / (last - first + 1)))
        until = last if until is None else max(until, last)
    return shares


def _is_usable(each: AgedGain) -> bool:
    return all(map(math.isfinite, (each.older, each.value, each.error))) and each.error > 0 and each.first <= each.last


def _read(fields: Mapping[str, object]) -> AgedGain:
    contract, metric, first, last, candidate = (
        str(fields[name]) for name in ("contract", "metric", "first", "last", "candidate")
    )
    older, value, error = (float(str(fields[name])) for name in ("older", "value", "error"))
    for day in (first, last):
        np.datetime64(day, "D")
    return AgedGain(contract, metric, first, last, candidate, older, value, error)

"""Holdout reuse: how many candidates were compared on the same days before.

Repeated comparison on one holdout selects a model that is good on it by chance (Dwork et al. 2015; Blum and Hardt
2015). The holdout moves with time, so that a day is used by a few candidates. Uses are recorded in a hidden line of
each report, which landing keeps as the release notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist

from checks.comparison.compare import Compared
from checks.verdict import Finding, ruled
from reporting.hidden_lines import hidden_line, recorded_values


@dataclass(frozen=True)
class Use:
    """One *candidate* (a digest) compared on the days from *first* to *last* of a contract's rows."""

    contract: str
    first: str
    last: str
    candidate: str


def use_line(use: Use) -> str:
    """The hidden line of a report."""
    return hidden_line("looked", asdict(use))


def recorded_uses(notes: Iterable[str]) -> list[Use]:
    """The uses that release notes record; broken lines are skipped."""
    return recorded_values("looked", notes, lambda fields: Use(**{k: str(v) for k, v in fields.items()}))


def count_earlier(use: Use, days: Iterable[str], earlier: Iterable[Use]) -> list[int]:
    """How many other candidates were compared on each of the *days* before; repeating this one does not count."""
    others = {each for each in earlier if each.contract == use.contract}
    spans = {(e.candidate, e.first, e.last) for e in others if e.candidate != use.candidate}
    return [len({candidate for candidate, first, last in spans if first <= day <= last}) for day in sorted(days)]


def earlier_uses(use: Use, times: Mapping[str, int], most: int, compared: Compared | None = None) -> Finding:
    """The finding on *times*, the number of other candidates by day.

    More than *most* are reported. They hold the candidate where it passes the comparison *compared* only because it is the
    best of so many: at the confidence that all of them together keep (Bonferroni), the bound of its gain is below minus the
    margin.
    """
    new = sum(1 for each in times.values() if each == 0)
    worst = max(times.values(), default=0)
    observed = (
        f"{use.first} to {use.last}: {new} of {len(times)} days were not used before,"
        f" the others by at most {worst} candidates"
    )
    chosen = ""
    if worst > most and compared is not None and compared.outcome == "PASS":
        chosen = _chosen(compared, worst + 1)
    return ruled(
        "data.looks",
        worst <= most,
        f"{observed}; {chosen}" if chosen else observed,
        f"at most {most}",
        "Repeated comparison on the same rows selects a model that is good on them by chance.",
        "hold" if chosen else "warn",
    )


def _chosen(compared: Compared, candidates: int) -> str:
    """That the gain may be that of the best of so many *candidates*; "" if it is not."""
    gain, low, high, margin = compared.difference, compared.low, compared.high, compared.margin
    if gain is None or low is None or high is None or margin is None:
        return ""
    beyond = (1 - compared.confidence) / 2
    wider = NormalDist().inv_cdf(1 - beyond / candidates) / NormalDist().inv_cdf(1 - beyond)
    bound = gain - (gain - low) * wider
    if bound >= -margin:
        return ""
    return (
        f"the best of {candidates} candidates may have a gain of {gain:+.4f} of {compared.metric} by chance: its lower bound"
        f" is {low:+.4f}, and {bound:+.4f} for so many"
    )

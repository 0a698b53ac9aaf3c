"""Target leakage: features that give the outcome away, and holdout rows that are copies of training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from checks.comparison.baseline import constant_scores
from checks.comparison.weighted_metrics import losses
from checks.earlier_rows import categories_in, has_known
from checks.evidence import Array, Evidence
from checks.insights.permutation_importance import Importance, interval
from checks.rules.rows.feature_power import MIN_CASES, Power, power_alone, power_of_scores, rare_classes
from checks.verdict import Finding, at_most_hold, ruled
from contracts.gate_limits import Leakage

#: Strata of equally many rows, from the rarest values to the commonest.
STRATA = 20
#: Power of a feature that is the outcome itself.
COMPLETE = 0.95


@dataclass(frozen=True)
class _Solo:
    """The power of a *feature* for one class: now, and when the champion was evaluated (None: the champion lacks it).

    *alike* is its power now on rows like the champion's: a new segment with another rate of outcomes is no leak.
    """

    feature: str
    label: str
    now: Power
    then: Power | None
    alike: Power | None
    limit: float

    @property
    def excess(self) -> float:
        """How far the lower bound is above the limit."""
        return self.now.low - self.limit

    @property
    def rise(self) -> float:
        """The lower bound of the rise since the champion was evaluated; -1 where that is not known.

        A feature that was worse than no feature (R² below 0), as a season that no training row had, had no power then.
        """
        if not self.then or not self.alike:
            return -1.0
        return self.alike.above(replace(self.then, value=max(self.then.value, 0.0)))

    def __str__(self) -> str:
        of = f" for the class {self.label}" if self.label else ""
        was = f", {self.then.value:.0%} when the champion was evaluated" if self.then else ""
        if self.then and self.alike and self.alike != self.now:
            was += f" ({self.alike.value:.0%} now without the categories that are new since)"
        return f"{self.feature} alone has {self.now.value:.0%} of a perfect model's predictive power{of}{was}"


def solo(evidence: Evidence, champion_rows: pd.DataFrame | None, limits: Leakage) -> Finding:
    """No feature alone predicts nearly everything, and none predicts much better than it did for the champion.

    A feature that the champion has is compared with its power on *champion_rows*, the champion's holdout: the rule
    holds the candidate where that has risen by more than *max_jump*, and fails where the power is also above *max_solo*.
    Rows of categories that the champion's rows lack do not count in the rise.
    A feature that the champion lacks must not predict better alone than the champion does with all of its features,
    unless that is below *max_new*. Without a champion the limit is *max_solo*, and the rule holds unless the power is
    nearly complete (`COMPLETE`): the demand of the hour before may well explain nine tenths of the next hour's. Bounds of
    intervals are compared, so that a few outcomes do not decide.
    """
    known = _powers(evidence, champion_rows, limits)
    given_away = [each for each in known if each.excess > 0 and (each.then is None or each.rise > limits.max_jump)]
    risen = [each for each in known if each.rise > limits.max_jump]
    failed = max(given_away, key=lambda each: each.excess, default=max(risen, key=lambda each: each.rise, default=None))
    likely = evidence.past.before is None and failed is not None and failed.now.low < COMPLETE
    shown = failed or max(known, key=lambda each: each.excess, default=None)
    observed = str(shown) if shown else "no class has enough rows for the power of a feature to be judged"
    limit = f"at most {shown.limit if shown else limits.max_solo:.0%}"
    if shown and shown.then is not None:
        limit += f" after a rise of more than {limits.max_jump:.0%}" if failed in given_away else ""
        limit = f"a rise of at most {limits.max_jump:.0%}" if failed and not given_away else limit
    return ruled(
        "leak.solo",
        failed is None,
        observed + _rare(evidence),
        limit,
        "A feature that gives the outcome away is usually known only after it.",
        at_most_hold(limits.severity) if failed and (not given_away or likely) else limits.severity,
    )


def added(evidence: Evidence, importances: Sequence[Importance], limits: Leakage) -> Finding:
    """No added feature brings more than all others: such a gain is rarely realised.

    It does if shuffling it costs significantly more than shuffling each of the others, summed; if the gain over the
    champion, which lacks it, is significantly larger than the champion's over a constant prediction; or if it predicts
    significantly better alone than the champion.
    """
    champion, new = evidence.champion, [each for each in importances if each.status == "added"]
    observed = "no feature was added to the champion's" if champion is not None else "no champion to compare with"
    most = ""
    if champion is not None and new:
        gain, low, skill = _gain(evidence, champion)
        first = max(new, key=lambda each: each.low)
        others = sum(max(each.benefit, 0.0) for each in importances if each != first and each.status != "removed")
        if first.low > others:
            most = (
                f"shuffling {first.name} costs {first.benefit:.3f} ({first.low:.3f} to {first.high:.3f}),"
                f" shuffling each of the others {others:.3f} in all"
            )
        elif low > skill:
            names = ", ".join(each.name for each in new[:3])
            most = f"{names}; the champion is better than a constant prediction by {skill:.3f} only"
        else:
            most = _better_alone(evidence, champion, [each.name for each in new])
        several = len(new) > 1 and first.low <= others and low > skill
        one = "the new features bring" if several else "one new feature brings"
        result = f"{one} more than all others: {most}" if most else "no new feature brings more than all others"
        observed = f"promised {gain:+.3f} of {first.loss}: {result}"
    return ruled(
        "leak.added",
        not most,
        observed,
        "less than all other features together",
        "Such a gain is rarely realised: often the feature is known only after the outcome.",
        "hold" if limits.severity == "block" else limits.severity,
    )


def split(evidence: Evidence, limits: Leakage) -> Finding:
    """Holdout rows are not copies of training rows more often than expected by chance.

    The expected share depends on how common the values of a row are, so it is estimated from the training rows
    that are as common: the share with a duplicate (post-stratification; Cochran 1977, 5A.9).
    """
    columns = [*evidence.contract.feature_names, evidence.contract.target.name]
    rows = pd.concat([each[columns] for each in (evidence.train, evidence.holdout)])
    codes = rows.apply(lambda values: pd.factorize(values.astype(object))[0]).reset_index(drop=True)
    trained = len(evidence.train)
    whole = pd.util.hash_pandas_object(codes, index=False).to_numpy()
    _, which, times = np.unique(whole[:trained], return_inverse=True, return_counts=True)
    duplicate, copies = times[which] > 1, np.isin(whole[trained:], whole[:trained])
    stratum = _strata(_commonness(codes, trained), trained)
    chance = pd.Series(duplicate).groupby(stratum[:trained]).mean()
    expected = float(chance[stratum[trained:]].mean())
    return ruled(
        "leak.split",
        copies.mean() - expected <= limits.max_split_copies,
        f"{copies.mean():.1%} of the holdout rows are copies of training rows; {expected:.1%} are expected by chance",
        f"at most {limits.max_split_copies:.0%} more",
        "A model evaluated on its training rows is rewarded for overfitting.",
        limits.severity,
    )


def _commonness(codes: pd.DataFrame, trained: int) -> Array:
    """The log likelihood of each row by the frequency of its values in the first *trained* rows, itself excluded."""
    likelihood = np.zeros(len(codes))
    own = np.arange(len(codes)) < trained
    for name in codes:
        code = codes[name].to_numpy() + 1  # a missing value is 0, and counts as a value
        times = np.bincount(code[:trained], minlength=code.max() + 1)[code] - own
        likelihood += np.log((times + 0.5) / trained)
    return likelihood


def _strata(values: Array, trained: int) -> Any:
    """The stratum of each value, between quantiles of the first *trained*; each has some of those."""
    places = np.linspace(0, 1, STRATA, endpoint=False)
    edges = np.unique(np.quantile(values[:trained], places, method="lower"))
    return np.maximum(np.searchsorted(edges, values, side="right") - 1, 0)


def _powers(evidence: Evidence, champion_rows: pd.DataFrame | None, limits: Leakage) -> list[_Solo]:
    """The power of every feature for every class with enough rows, with its limit."""
    contract, before = evidence.contract, evidence.past.before
    old = None
    if before is not None and champion_rows is not None and len(champion_rows):
        old = before[before[contract.time] < champion_rows[contract.time].min()]
    whole = {}
    if before is not None and evidence.champion is not None:
        whole = power_of_scores(contract, evidence.truth, evidence.champion, evidence.days)
    known = {} if before is None else categories_in(before, contract)
    alike = [each[has_known(each, known)] for each in (evidence.train, evidence.holdout)]
    same = [len(each) for each in alike] == [len(evidence.train), len(evidence.holdout)]
    found = []
    for feature in contract.features:
        new = before is not None and feature.name not in before
        powers = power_alone(contract, feature, evidence.train, evidence.holdout)
        then: dict[str, Power] = {}
        again: dict[str, Power] = {}
        if not new and old is not None and champion_rows is not None and len(old):
            then = power_alone(contract, feature, old, champion_rows)
            again = powers if same else power_alone(contract, feature, *alike) if all(map(len, alike)) else {}
        for label, now in powers.items():
            limit = max(limits.max_new, whole[label].value) if new and label in whole else limits.max_solo
            shown = label if contract.task == "multiclass" else ""
            found.append(_Solo(feature.name, shown, now, then.get(label), again.get(label), limit))
    return found


def _better_alone(evidence: Evidence, champion: Array, names: Sequence[str]) -> str:
    """The first of the features *names* that alone predicts better than the champion, as a sentence part; "" if none."""
    contract = evidence.contract
    whole = power_of_scores(contract, evidence.truth, champion, evidence.days)
    for name in names:
        for label, power in power_alone(contract, contract.feature(name), evidence.train, evidence.holdout).items():
            if label in whole and power.above(whole[label]) > 0:
                return f"{name} alone has {power.value:.0%} of a perfect model's predictive power, the champion {whole[label].value:.0%}"
    return ""


def _rare(evidence: Evidence) -> str:
    """A note on the classes that are too rare."""
    rare = rare_classes(evidence.contract, evidence.holdout)
    notes = [f"{label} ({count:,})" for label, count in rare.items()]
    return f"; not judged for classes with fewer than {MIN_CASES} rows: {', '.join(notes)}" if notes else ""


def _gain(evidence: Evidence, champion: Array) -> tuple[float, float, float]:
    """On fresh rows: the candidate's gain over the champion, its lower bound, and the champion's over a constant."""
    fresh, metric = evidence.fresh, "mae" if evidence.contract.task == "regression" else "log_loss"
    truth = evidence.truth[fresh]
    ours, theirs = (losses(metric, truth, scores[fresh]) for scores in (evidence.holdout_scores, champion))
    number = evidence.contract.task == "regression"
    constant = losses(metric, truth, constant_scores(truth, champion[fresh], np.median if number else np.mean))
    low, _ = interval(theirs - ours, evidence.days[fresh])
    return float((theirs - ours).mean()), low, float((constant - theirs).mean())

"""Which rows there are: a segment, an hour or a class of outcome that vanishes, and rows that are alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from checks.evidence import Array, Evidence, target
from checks.rules.changes.day_steps import MIN_DAYS, Daily, Step, joined
from checks.rules.changes.recent_rows import Recent
from checks.verdict import Finding, ruled
from contracts.gate_limits import Changes

#: A share of an hour that falls to this part of the earlier one has vanished; one that rises to the inverse is a surge.
VANISHED = 0.5
#: A share of a segment or class that falls to this part has lost rows. Half of the rows of a class with a third of all rows
#: leave it three fifths of its share. The least fall, as a multiple of the usual ones.
FALLEN, USUAL_FALLS = 0.8, 1.5
#: Share of the rows in which a column has its commonest value at their time, where it follows from the time.
OF_CLOCK = 0.98
#: Rows of several days are alike by chance, where features have few values: with a larger share before, only rows of one
#: day are compared.
BY_CHANCE = 0.01
ACROSS_DAYS = "repeat another row of several days"
#: Combinations of values that are tried, the commonest of the recent rows; parts into which a number is divided. The least
#: rise of one combination, as a part of that of all rows that are alike, and as a multiple of the usual ones.
MAX_COMBINATIONS, NUMBER_BINS, MIN_SHARE_OF_RISE, MIN_TIMES_USUAL = 20, 10, 1 / 3, 3.0
EXACTLY, NEARLY = "have one combination of values", "have nearly one combination of values"
#: Fewest rows of the champion's evidence that are lost, for their composition to be judged.
MIN_LOST = 30


def segments(evidence: Evidence, limits: Changes) -> Finding:
    """No segment or class of outcome lost a fifth of its share of the rows since some day, and no hour of the day half.

    Hours must not gain as much either. A segment that is new, or grows, is not reported. Rows of the
    champion's evidence that are gone must not all be of one segment or class.
    """
    recent = Recent.of(evidence)
    sentences = [_sentence(what, step) for step, what in _moved(recent, limits)]
    sentences += _lost(evidence, limits)
    return ruled(
        "data.segments",
        not sentences,
        "; ".join(sentences[:3]) or recent.enough() or "no segment, hour or class lost rows",
        f"a fall of at most {limits.max_share_step:.0%} of the rows, or by less than {1 - FALLEN:.0%}"
        f" (hours: {1 - VANISHED:.0%}), beyond what the days before show",
        "A filter upstream drops or adds rows of one kind; the model is trained and evaluated without them.",
        limits.severity,
    )


def identical(evidence: Evidence, limits: Changes) -> Finding:
    """Rows that are alike but for key and time did not become frequent, nor rows of one key, nor one combination of values.

    Where groups of rows are alike as a matter of course, as bookings of one party, more of them on some days are usual. One
    combination that recurs day after day is not: a program repeats it.
    """
    recent = Recent.of(evidence, even=True)
    named = dict(_alike(recent))
    sums = joined([recent.days.sums(each) for each in named.values()])
    names = list(named)
    found = [
        step
        for step in recent.steps(sums, limits.max_identical)
        if step.rise > 0 and (step.before <= BY_CHANCE or not names[step.statistic].startswith(ACROSS_DAYS))
    ]
    for words, masks in _combinations(recent):
        least = limits.max_identical * (MIN_SHARE_OF_RISE if words == EXACTLY else 1.0)
        sums = joined([recent.days.sums(each) for each in masks])
        risen = [step for step in recent.steps(sums, least, together=True, multiple=MIN_TIMES_USUAL) if step.rise > 0]
        found += [replace(step, statistic=len(names)) for step in risen[:1]]
        names.append(words)
    return ruled(
        "data.identical",
        not found,
        "; ".join(
            f"{step.after:.1%} of the rows since {step.since} {names[step.statistic]}, {step.before:.1%} before"
            for step in found[:2]
        )
        or recent.enough()
        or "rows are no more alike than before",
        f"a rise of at most {limits.max_identical:.0%} of rows, beyond what the days before show",
        "A program that repeats one request, or an export that repeats rows, counts many times.",
        limits.severity,
    )


def _moved(recent: Recent, limits: Changes) -> list[tuple[Step, str]]:
    """The steps of the shares of segments, hours and classes, the clearest first."""
    found = []
    ones = np.ones(len(recent.rows))
    for by, (codes, names) in recent.segments.items():
        sums = _shares(recent.days.sums(ones, codes, len(names)), recent)
        found += [
            (step, f"{by} = {names[step.statistic]}")
            for step in recent.steps(sums, limits.max_share_step, multiple=USUAL_FALLS)
            if step.after < FALLEN * step.before and _fewer(sums, step)
        ]
    hours = _shares(recent.days.sums(ones, recent.rows[recent.contract.time].dt.hour.to_numpy(), 24), recent)
    found += [
        (step, f"hour {step.statistic} (UTC)")
        for step in recent.steps(hours, limits.max_share_step)
        if _beyond_clock(step, recent.early_means(hours))
    ]
    contract = recent.contract
    if contract.task != "regression":
        codes, many = target(recent.rows, contract).astype(int), len(contract.target.classes)
        classes = _shares(recent.days.sums(ones, codes, many), recent)
        found += [
            (step, f"{contract.target.name} = {contract.target.classes[step.statistic]}")
            for step in recent.steps(classes, limits.max_share_step, multiple=USUAL_FALLS)
            if step.after < FALLEN * step.before
        ]
    return sorted(found, key=lambda each: -each[0].errors)


def _shares(sums: Daily, recent: Recent) -> Daily:
    """The counts of each group as shares of all rows of the day."""
    whole = np.bincount(recent.days.codes, minlength=len(sums.days)).astype(float)
    return Daily(sums.days, sums.totals, sums.totals, np.repeat(whole[:, None], sums.totals.shape[1], axis=1))


def _fewer(sums: Daily, step: Step) -> bool:
    """Whether there are fewer rows a day as well: where other segments begin, a share falls without any loss."""
    late = np.asarray(sums.days >= pd.Timestamp(step.since, tz="UTC"))
    rows = sums.totals[:, step.statistic]
    return bool(rows[late].mean() < 0.75 * rows[~late].mean())


def _beyond_clock(step: Step, before: Array) -> bool:
    """Whether a change of the clock by an hour does not explain the step: all hours near it had other shares."""
    near = before[[(step.statistic + shift) % 24 for shift in (-1, 0, 1)]]
    return bool(step.after < VANISHED * near.min() or step.after > near.max() / VANISHED)


def _sentence(what: str, step: Step) -> str:
    return f"{what} has {step.after:.1%} of the rows since {step.since}, {step.before:.1%} before"


def _lost(evidence: Evidence, limits: Changes) -> list[str]:
    """Segments and classes that make up far more of the champion's lost rows than of the rows that are kept."""
    before, contract = evidence.past.before, evidence.contract
    names = [contract.key, contract.time]
    if before is None or evidence.past.both.empty:
        return []
    span = [pd.Timestamp(evidence.past.extents[part][end]) for part, end in (("train", "start"), ("holdout", "end"))]
    theirs = before.drop_duplicates(names, keep=False)
    theirs = theirs[theirs[contract.time].between(*span)].reset_index(drop=True)
    kept = theirs.merge(evidence.past.both[names].assign(kept=True), on=names, how="left")["kept"].notna().to_numpy()
    lost = int((~kept).sum())
    if lost < max(MIN_LOST, limits.max_lost_share * len(theirs)):
        return []
    found = []
    words = [feature.name for feature in contract.features if feature.kind != "number"]
    words += [contract.target.name] if contract.task != "regression" else []
    for name in words:
        if name not in theirs or name in contract.private:
            continue
        shares = [theirs.loc[which, name].astype(str).value_counts(normalize=True) for which in (~kept, kept)]
        excess = shares[0].sub(shares[1], fill_value=0.0)
        value = str(excess.idxmax())
        error = float(np.sqrt(0.25 / lost))
        if excess.max() > limits.max_lost_excess + 4 * error:
            word = contract.target.classes[int(float(value))] if name == contract.target.name else value
            found.append(
                f"of {lost:,} rows of the champion's evidence that are gone, {shares[0][value]:.0%} have {name} = {word},"
                f" of the others {shares[1].get(value, 0.0):.0%}"
            )
    return found


def _alike(recent: Recent) -> Iterable[tuple[str, Any]]:
    """What makes rows alike, and the mask of all such rows but the first."""
    contract, codes = recent.contract, pd.Series(recent.days.codes, name="day")
    columns = [*contract.feature_names, contract.target.name]
    rows = recent.rows[columns].apply(lambda values: pd.factorize(values.astype(object))[0])
    free = [name for name in columns if not _of_clock(rows[name], recent)]
    length = len(np.unique(recent.days.codes[recent.late]))
    period = (recent.days.codes.max() - codes).rename("period") // max(length, 1)
    for names, what in ((columns, "key and time"), (free, "key, time and what follows from the time")):
        if names and (names is columns or len(names) < len(columns)):
            for when, words in ((codes, "repeat another row of the day"), (period, f"{ACROSS_DAYS} ({length})")):
                again = pd.concat([when, rows[names]], axis=1).duplicated().to_numpy()
                yield f"{words} but for {what}", again
    keys = recent.rows[contract.key].groupby([recent.days.codes, recent.rows[contract.key]]).transform("size")
    most = keys.groupby(recent.days.codes).transform("max")
    yield "have the commonest key of their day", ((keys == most) & (keys > 1)).to_numpy()


def _combinations(recent: Recent) -> Iterable[tuple[str, list[Any]]]:
    """What makes rows of one combination alike, and the mask of the rows of each recent combination that is frequent.

    A combination has the same values, or the same categories and nearly the same numbers: the same tenth of the earlier rows.
    Columns that follow from the time do not count, unless all of them do.
    """
    contract = recent.contract
    columns = [*contract.feature_names, contract.target.name]
    exact = recent.rows[columns].apply(lambda values: pd.factorize(values.astype(object))[0])
    free = [name for name in columns if not _of_clock(exact[name], recent)] or columns
    nearly = exact[free].copy()
    for name in recent.numbers():
        if name in free:
            values = recent.values(name)
            known = values[~recent.late & ~np.isnan(values)]
            if len(known):
                nearly[name] = np.searchsorted(
                    np.unique(np.quantile(known, np.linspace(0, 1, NUMBER_BINS + 1))), values
                )
    for words, codes in ((EXACTLY, exact[free]), (NEARLY, nearly)):
        group = codes.groupby(free, sort=False).ngroup().to_numpy()
        seen = pd.DataFrame({"group": group[recent.late], "day": recent.days.codes[recent.late]})
        days = seen.groupby("group")["day"].agg(["size", "nunique"])
        often = days[days["nunique"] >= MIN_DAYS].nlargest(MAX_COMBINATIONS, "size").index
        if len(often):
            yield words, [group == each for each in often]


def _of_clock(codes: Any, recent: Recent) -> bool:
    """Whether a column follows from the time of day, or from the day: it is the same in nearly all rows of such a time."""
    at = recent.rows[recent.contract.time]
    for times in (at.dt.hour * 60 + at.dt.minute, at.dt.day_of_week, recent.days.codes):
        frame = pd.DataFrame({"time": np.asarray(times), "value": codes.to_numpy()})
        commonest = frame.value_counts(sort=False).groupby(level="time").max().sum()
        if commonest > OF_CLOCK * len(frame) and np.ptp(codes) > 0:
            return True
    return False

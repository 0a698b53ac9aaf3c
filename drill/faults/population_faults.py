"""Rows that are missing, repeated or made up, each with drawn shares, days, hours and segments."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd

from drill.drawing import number_of, seed_of, segment_of, uniform_by_row, where
from drill.fault import COMPARISON_RULES, INPUT_RULES, Fault, Random, Variant
from drill.faults.data_faults import DATA_SIDE_EFFECTS
from drill.faults.lookahead_faults import rarest
from drill.thinned_recipe import Frame, Subject

#: Rules that may name rows that are missing or too many.
NAMING_RULES = (
    "data.lost",
    "data.rate",
    "data.added",
    "data.segments",
    "data.identical",
    "data.repeated",
    "data.conflicts",
    "upstream.rows",
)
OTHER_RULES = (
    *INPUT_RULES,
    *COMPARISON_RULES,
    "data.*",
    "labels.*",
    "leak.*",
    "calibration*",
    "model.constant",
    "anchor.*",
)


def _survivors(random: Random, subject: Subject) -> Variant:
    """Rows of the rarest outcome are missing more often: those who left are deleted."""
    rare, at = rarest(subject), where(random, subject, (0.3, 0.9))
    return Variant(
        f"of the rows with the rarest outcome, {at.words} are missing",
        lambda frame: frame[~(rare(frame) & at.rows(frame))].reset_index(drop=True),
    )


def _sampled(random: Random, subject: Subject) -> Variant:
    """Rows of the frequent outcome are thinned, as to balance the classes."""
    rare, at = rarest(subject), where(random, subject, (0.3, 0.8))
    return Variant(
        f"of the rows with a frequent outcome, {at.words} are left out",
        lambda frame: frame[rare(frame) | ~at.rows(frame)].reset_index(drop=True),
    )


def _bots(random: Random, subject: Subject) -> Variant:
    """Identical rows with other keys at other times."""
    at, seed, share = where(random, subject, since=None), seed_of(random), float(random.uniform(0.05, 0.2))
    contract = subject.contract
    rows = subject.rows
    model = rows.iloc[int(random.integers(len(rows)))]
    names = [f.name for f in contract.columns] + [contract.target.name]

    def change(frame: Frame) -> Frame:
        picked = at.rows(frame) & (uniform_by_row(frame, contract, seed) < share)
        copies = frame[picked].copy()
        for name in names:
            copies[name] = pd.Series([model[name]] * len(copies), index=copies.index, dtype=frame[name].dtype)
        copies[contract.key] = copies[contract.key].astype(str) + " bot"
        return pd.concat([frame, copies], ignore_index=True).sort_values(contract.time, ignore_index=True)

    return Variant(f"{share:.0%} identical rows are added to {at.words}", change)


def _retries(random: Random, subject: Subject) -> Variant:
    """Rows that are sent again some seconds later, with another key."""
    at, seed = where(random, subject, (0.1, 0.4)), seed_of(random)
    rare, contract = rarest(subject), subject.contract
    only_rare = bool(random.random() < 0.5)

    def change(frame: Frame) -> Frame:
        picked = at.rows(frame) & (rare(frame) if only_rare else True)
        again = frame[picked]
        later = pd.to_timedelta(1 + (uniform_by_row(again, contract, seed) * 60).astype(int), unit="s")
        again = again.assign(
            **{
                contract.key: again[contract.key].astype(str) + " again",
                # Not beyond the last row, which is in the window.
                contract.time: (again[contract.time] + later).clip(upper=frame[contract.time].max()),
            }
        )
        return pd.concat([frame, again], ignore_index=True).sort_values(contract.time, ignore_index=True)

    of = " with the rarest outcome" if only_rare else ""
    return Variant(f"{at.words}{of} are there again within a minute, with another key", change)


def _segment_gone(random: Random, subject: Subject) -> Variant:
    at = where(random, subject, (0.7, 1), segment=True)
    return Variant(f"{at.words} are missing", lambda frame: frame[~at.rows(frame)].reset_index(drop=True))


def _hours_gone(random: Random, subject: Subject) -> Variant:
    at, first, many = where(random, subject), int(random.integers(24)), int(random.integers(4, 13))

    def change(frame: Frame) -> Frame:
        hour = (frame[subject.contract.time].dt.hour - first) % 24
        return frame[~(at.rows(frame) & (hour < many).to_numpy())].reset_index(drop=True)

    return Variant(f"the {many} hours from {first}:00 UTC are missing in {at.words}", change)


def _high_gone(random: Random, subject: Subject) -> Variant:
    """Rows are missing by a number: a limit of pages, or a filter that was left in a query."""
    at, part = where(random, subject), float(random.uniform(0.5, 0.85))
    above = bool(random.random() < 0.5)

    def out(values: Any, cut: float) -> Any:
        return ((values > cut) if above else (values < cut)).fillna(False).to_numpy(dtype=bool)

    def cut_of(values: Any) -> float:
        return float(values.quantile(part if above else 1 - part))

    name = number_of(random, subject, lambda _, v: v.nunique() > 10 and out(v, cut_of(v)).mean() > 0.05).name
    cut = cut_of(subject.rows[name].astype(float))

    def change(frame: Frame) -> Frame:
        return frame[~(at.rows(frame) & out(frame[name].astype(float), cut))].reset_index(drop=True)

    return Variant(f"rows with a {'high' if above else 'low'} {name} are filtered out of {at.words}", change)


def _tests(random: Random, subject: Subject) -> Variant:
    """Rows of an internal test: features of random rows, and always the rarest outcome."""
    contract, rare = subject.contract, rarest(subject)
    at, seed, share = where(random, subject), seed_of(random), float(random.uniform(0.05, 0.15))
    known = subject.rows
    outcome = known[rare(known)][contract.target.name].iloc[0]
    features = [f.name for f in contract.columns]

    def change(frame: Frame) -> Frame:
        picked = at.rows(frame) & (uniform_by_row(frame, contract, seed) < share)
        made = frame[picked].reset_index(drop=True)
        for n, name in enumerate(features):
            places = (uniform_by_row(made, contract, seed + n + 1) * len(known)).astype(int)
            made[name] = known[name].to_numpy()[places]
        made[contract.key] = made[contract.key].astype(str) + " test"
        made[contract.target.name] = pd.Series([outcome] * len(made), dtype=frame[contract.target.name].dtype)
        return pd.concat([frame, made], ignore_index=True).sort_values(contract.time, ignore_index=True)

    return Variant(f"{share:.0%} rows of a test, all {outcome}, are added to {at.words}", change)


def _recent_only(random: Random, subject: Subject) -> Variant:
    """The source keeps a part of the older rows only."""
    days, seed, part = int(random.integers(10, 40)), seed_of(random), float(random.uniform(0.5, 0.95))
    contract = subject.contract
    segment = segment_of(random, subject)

    def change(frame: Frame) -> Frame:
        old = (frame[contract.time] < subject.end - timedelta(days=days)) & (frame[segment[0]] == segment[1]).fillna(
            False
        )
        gone = old.to_numpy(dtype=bool) & (uniform_by_row(frame, contract, seed) < part)
        return frame[~gone].reset_index(drop=True)

    return Variant(
        f"{part:.0%} of the rows with {segment[0]} = {segment[1]} older than {days} days are deleted", change
    )


def _truncated(random: Random, subject: Subject) -> Variant:
    at, part = where(random, subject, since=True), float(random.uniform(0.2, 0.5))
    contract = subject.contract

    def change(frame: Frame) -> Frame:
        days = frame.groupby(frame[contract.time].dt.date)
        place = (days.cumcount() / days[contract.key].transform("size")).to_numpy()
        return frame[~at.rows(frame) | (place < part)].reset_index(drop=True)

    return Variant(f"the first {part:.0%} of each day only, in {at.words}", change)


def _twice(random: Random, subject: Subject) -> Variant:
    time = subject.contract.time
    days = sorted(subject.rows[time].dt.date.unique())
    picked = days[int(random.integers(len(days) // 5, 4 * len(days) // 5))]

    def change(frame: Frame) -> Frame:
        return pd.concat([frame, frame[frame[time].dt.date == picked]], ignore_index=True)

    return Variant(f"the rows of {picked} are loaded twice", change)


def _stale(random: Random, subject: Subject) -> Variant:
    days = max(1, int(subject.held.days * float(random.uniform(0.4, 0.7))))
    end = subject.end - timedelta(days=days)
    return Variant(
        f"there is nothing newer than {days} days",
        lambda frame: frame[frame[subject.contract.time] < end].reset_index(drop=True),
    )


def _biased(random: Random, subject: Subject) -> Variant:
    column, value = segment_of(random, subject, largest=0.8)
    part, seed = float(random.uniform(0.15, 0.4)), seed_of(random)

    def change(frame: Frame) -> Frame:
        whole = (frame[column] == value).fillna(False).to_numpy(dtype=bool)
        return frame[whole | (uniform_by_row(frame, subject.contract, seed) < part)].reset_index(drop=True)

    return Variant(f"{part:.0%} of the rows are loaded, but all with {column} = {value}", change)


def _fault(name: str, what: str, draw: Any, *more: str) -> Fault:
    return Fault(name, what, (*NAMING_RULES, *more), OTHER_RULES, draw=draw)


FAULTS = (
    Fault(
        "export truncated",
        "the later part of each day is missing, since the champion was trained",
        ("data.rate", "upstream.stopped", "upstream.rows", "data.lost"),
        (*DATA_SIDE_EFFECTS, "data.clock", "data.fresh_rows"),
        draw=_truncated,
    ),
    Fault(
        "a day loaded twice",
        "one day's rows are loaded twice",
        ("data.repeated", "data.duplicates"),
        (*INPUT_RULES,),
        draw=_twice,
    ),
    Fault(
        "stale snapshot",
        "the last days are missing",
        ("data.stale", "upstream.stopped"),
        (*DATA_SIDE_EFFECTS, "data.fresh_rows", "data.time_overlap"),
        draw=_stale,
    ),
    Fault(
        "sampling bias towards a slice",
        "one slice is complete, of the others there is a part",
        ("data.lost",),
        (*DATA_SIDE_EFFECTS, "data.fresh_rows"),
        draw=_biased,
    ),
    _fault("survivors only", "rows of one outcome are deleted", _survivors, "labels.*"),
    _fault("sampled by outcome", "rows of the frequent outcome are thinned", _sampled, "labels.*"),
    _fault("bots", "identical rows under other keys", _bots),
    _fault("retries counted", "rows are there again within a minute", _retries),
    _fault("a segment lost", "rows of one segment are missing", _segment_gone),
    _fault("hours lost", "rows of some hours are missing", _hours_gone),
    _fault("filtered by a number", "rows with a high or low number are missing", _high_gone),
    _fault("rows of a test", "made-up rows with one outcome", _tests, "labels.*"),
    _fault("old rows deleted", "rows of one segment are kept for some days", _recent_only),
)

"""Data faults: in all loaded rows, or in those since the champion was trained."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from contracts.row_contract import Feature
from drill.fault import MOVED, WORSE, DoesNotApplyError, Fault, rows
from drill.thinned_recipe import Frame, Subject

BESIDE = (*MOVED, *WORSE, "labels.maturing", "calibration*", "model.constant")


def number(subject: Subject, fits: Callable[[Feature], bool] = lambda _: True) -> Feature:
    """A numeric feature of the contract, preferably a nullable one."""
    found = [f for f in subject.contract.features if f.kind == "number" and fits(f)]
    if not found:
        raise DoesNotApplyError("there is no such numeric feature")
    return max(found, key=lambda feature: feature.nullable)


def category(subject: Subject) -> Feature:
    """A category of the contract without a list of choices."""
    found = [f for f in subject.contract.features if f.kind == "category" and not f.choices]
    if not found:
        raise DoesNotApplyError("there is no category without a list of choices")
    return found[0]


def _late(frame: Frame, subject: Subject) -> Any:
    """The rows since the champion was trained."""
    return frame[subject.contract.time] >= subject.since


def _unit(frame: Frame, subject: Subject) -> Frame:
    # Thousandths instead of ones, or as far as the contract's bounds allow.
    name = number(subject, lambda f: f.minimum is None or f.minimum <= 0).name
    return frame.assign(**{name: frame[name].where(~_late(frame, subject), frame[name] / 100)})


def _swapped(frame: Frame, subject: Subject) -> Frame:
    names = [f.name for f in subject.contract.features if f.kind == "number"]
    if len(names) < 2:
        raise DoesNotApplyError("there are no two numbers")
    features = [subject.contract.feature(name) for name in names]
    for a, b in combinations(features, 2):
        if _within(frame[a.name], b) and _within(frame[b.name], a):
            names = [a.name, b.name]
    one, other = names[:2]
    return frame.assign(**{one: frame[other], other: frame[one]})


def _within(values: Any, feature: Feature) -> bool:
    low = -np.inf if feature.minimum is None else feature.minimum
    high = np.inf if feature.maximum is None else feature.maximum
    fits = ((values >= low) & (values <= high)) | (values.isna() & feature.nullable)
    return bool(fits.all())


def _sign(frame: Frame, subject: Subject) -> Frame:
    name = number(subject, lambda f: f.minimum is None or f.minimum < 0).name
    return frame.assign(**{name: -frame[name]})


def _nines(frame: Frame, subject: Subject) -> Frame:
    name = number(subject).name
    hit = subject.random("nines").random(len(frame)) < 0.1
    return frame.assign(**{name: frame[name].mask(hit, -999)})


def _sentinel(frame: Frame, subject: Subject) -> Frame:
    feature = _roomy(frame, subject)
    hit = (subject.random("sentinel").random(len(frame)) < 0.1) & _late(frame, subject)
    return frame.assign(**{feature.name: frame[feature.name].mask(hit, _far(frame, feature))})


def _roomy(frame: Frame, subject: Subject) -> Feature:
    """A number whose bounds allow a value that means "unknown"."""
    return number(subject, lambda f: _far(frame, f) > frame[f.name].max() * 1.2)


def _far(frame: Frame, feature: Feature) -> float:
    top = float(frame[feature.name].max())
    far = top + 5 * float(frame[feature.name].max() - frame[feature.name].min())
    return far if feature.maximum is None else min(far, feature.maximum)


def _nulls(frame: Frame, subject: Subject) -> Frame:
    name = number(subject, lambda f: f.nullable).name
    hit = (subject.random("nulls").random(len(frame)) < 0.4) & _late(frame, subject)
    return frame.assign(**{name: frame[name].astype(float).mask(hit)})


def _frozen(frame: Frame, subject: Subject) -> Frame:
    name = number(subject).name
    last = frame[name].dropna().iloc[len(frame) // 2]
    return frame.assign(**{name: frame[name].mask(_late(frame, subject), last)})


def _renamed(frame: Frame, subject: Subject) -> Frame:
    name = category(subject).name
    first = frame[name].value_counts().index[0]
    hit = (frame[name] == first) & _late(frame, subject)
    return frame.assign(**{name: frame[name].mask(hit, f"{first}-new")})


def _case(frame: Frame, subject: Subject) -> Frame:
    name = category(subject).name
    hit = subject.random("case").random(len(frame)) < 0.3
    other = frame[name].str.lower().where(frame[name].str.lower() != frame[name], frame[name].str.upper())
    return frame.assign(**{name: frame[name].mask(hit & frame[name].notna(), other)})


def _space(frame: Frame, subject: Subject) -> Frame:
    name = category(subject).name
    hit = subject.random("space").random(len(frame)) < 0.3
    return frame.assign(**{name: frame[name].mask(hit & frame[name].notna(), frame[name] + " ")})


def _words(frame: Frame, subject: Subject) -> Frame:
    name = number(subject).name
    return frame.assign(**{name: frame[name].map(lambda each: None if pd.isna(each) else str(each))})


def _truncated(frame: Frame, subject: Subject) -> Frame:
    days = frame.groupby(frame[subject.contract.time].dt.date)
    place = days.cumcount() / days[subject.contract.key].transform("size")
    return frame[~_late(frame, subject) | (place < 0.35).to_numpy()].reset_index(drop=True)


def _twice(frame: Frame, subject: Subject) -> Frame:
    days = frame[subject.contract.time].dt.date
    picked = sorted(days.unique())[len(days.unique()) // 2]
    return pd.concat([frame, frame[days == picked]], ignore_index=True)


def _zone(frame: Frame, subject: Subject) -> Frame:
    time = subject.contract.time
    return frame.assign(**{time: frame[time].where(~_late(frame, subject), frame[time] - timedelta(hours=6))})


def _skew(frame: Frame, subject: Subject) -> Frame:
    time = subject.contract.time
    hit = (subject.random("skew").random(len(frame)) < 0.2) & _late(frame, subject)
    return frame.assign(**{time: frame[time].where(~hit, frame[time] + timedelta(days=30))})


def _stale(frame: Frame, subject: Subject) -> Frame:
    end = subject.since + subject.held / 2
    return frame[frame[subject.contract.time] < end].reset_index(drop=True)


def _biased(frame: Frame, subject: Subject) -> Frame:
    name = (*subject.contract.slices, category(subject).name)[0]
    first = frame[name].value_counts().index[0]
    kept = (frame[name] == first) | (subject.random("biased").random(len(frame)) < 0.25)
    return frame[kept].reset_index(drop=True)


FAULTS = (
    Fault(
        "unit change",
        "a number is a hundredth as large, since the champion was trained",
        ("upstream.units", "data.rewritten"),
        BESIDE,
        rows(_unit),
    ),
    Fault("columns swapped", "two numbers are swapped", ("data.rewritten", "train.contract"), BESIDE, rows(_swapped)),
    Fault("sign flipped", "a number has the other sign", ("data.rewritten", "train.contract"), BESIDE, rows(_sign)),
    Fault(
        "sentinel -999",
        "a tenth of a number is -999 for unknown",
        ("train.contract", "data.sentinels", "upstream.units"),
        BESIDE,
        rows(_nines),
    ),
    Fault(
        "sentinel within the contract",
        "a tenth of a number is a large one for unknown, since the champion was trained",
        ("data.sentinels", "upstream.units"),
        BESIDE,
        rows(_sentinel),
    ),
    Fault(
        "null flood",
        "two in five of a number are missing, since the champion was trained",
        ("data.missing_jump", "upstream.missing"),
        (*BESIDE, "data.missing"),
        rows(_nulls),
    ),
    Fault(
        "a feed hangs",
        "a number repeats its last value, since the champion was trained",
        ("data.frozen",),
        BESIDE,
        rows(_frozen),
    ),
    Fault(
        "category renamed",
        "the most frequent value has another name, since the champion was trained",
        ("upstream.renamed",),
        BESIDE,
        rows(_renamed),
    ),
    Fault(
        "case changed",
        "three in ten values of a category are in the other case",
        ("data.variants",),
        BESIDE,
        rows(_case),
    ),
    Fault(
        "white space added",
        "three in ten values of a category end in a blank",
        ("data.variants",),
        BESIDE,
        rows(_space),
    ),
    Fault("dtype changed", "a number is text", ("train.contract",), (), rows(_words)),
    Fault(
        "export truncated",
        "two thirds of each day are missing, since the champion was trained",
        ("data.rate", "upstream.stopped", "upstream.rows", "data.lost"),
        (*BESIDE, "data.clock", "data.fresh_rows"),
        rows(_truncated),
    ),
    Fault(
        "a day loaded twice",
        "one day's rows are loaded twice",
        ("data.repeated", "data.duplicates"),
        (*MOVED,),
        rows(_twice),
    ),
    Fault(
        "time zone shifted",
        "the clock is six hours behind, since the champion was trained",
        ("data.clock",),
        (*BESIDE, "data.rate"),
        rows(_zone),
    ),
    Fault(
        "clock skew", "a fifth of the rows come from a month ahead", ("train.contract", "bundle.clock"), (), rows(_skew)
    ),
    Fault(
        "stale snapshot",
        "nothing newer than half of the holdout",
        ("data.stale", "upstream.stopped"),
        (*BESIDE, "data.fresh_rows", "data.time_overlap"),
        rows(_stale),
    ),
    Fault(
        "sampling bias towards a slice",
        "one slice is complete, of the others there is a quarter",
        ("data.lost",),
        (*BESIDE, "data.fresh_rows"),
        rows(_biased),
    ),
)

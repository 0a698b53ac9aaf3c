"""Label faults: the outcomes to train on are wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from contracts.row_contract import Target
from drill.drawing import Where, put, seed_of, segment_of, uniform_by_row
from drill.fault import COMPARISON_RULES, DoesNotApplyError, Fault, Random, Variant
from drill.thinned_recipe import Frame, Subject

#: Rules that wrong labels may fail, besides their own rule.
SPOILT = (
    *COMPARISON_RULES,
    "drift.label",
    "drift.predictions",
    "model.constant",
    "labels.*",
    "upstream.*",
    "calibration*",
)


def other_outcomes(frame: Frame, subject: Subject, seed: int) -> Any:
    """Outcomes of other rows, (n,), drawn from all of the subject's."""
    values = subject.rows[subject.contract.target.name].to_numpy(object)
    return values[(uniform_by_row(frame, subject.contract, seed) * len(values)).astype(int)]


def inverted(frame: Frame, subject: Subject) -> Any:
    """The outcomes in the reversed order of classes; of a regression mirrored at the middle of the range."""
    target = subject.contract.target
    if target.classes:
        return frame[target.name].map(dict(zip(target.classes, reversed(target.classes), strict=True)))
    low, high = (float(each) for each in subject.rows[target.name].quantile([0.01, 0.99]))
    return high + low - frame[target.name].clip(low, high)


def _shuffled(random: Random, subject: Subject) -> Variant:
    name, seed = subject.contract.target.name, seed_of(random)
    return Variant(
        f"every row has the outcome of another (seed {seed})",
        lambda frame: put(frame, name, Where("", lambda _: True), other_outcomes(frame, subject, seed)),
    )


def _flipped(random: Random, subject: Subject) -> Variant:
    column, value = segment_of(random, subject)
    name = subject.contract.target.name
    at = Where("", lambda frame: (frame[column] == value).fillna(False).to_numpy(dtype=bool))
    return Variant(
        f"the outcomes with {column} = {value} are inverted",
        lambda frame: put(frame, name, at, inverted(frame, subject)),
    )


def _late(random: Random, subject: Subject) -> Variant:
    target, time, days = _classes(subject), subject.contract.time, int(random.integers(4, 8))
    at = Where("", lambda frame: (frame[time] >= subject.end - timedelta(days=days)).to_numpy(dtype=bool))
    first = target.classes[0]
    return Variant(
        f"outcomes of the last {days} days have not arrived, and count as {first}",
        lambda frame: put(frame, target.name, at, first),
    )


def _gone(random: Random, subject: Subject) -> Variant:
    target = _classes(subject)
    gone = target.classes[int(random.integers(len(target.classes)))]
    return Variant(
        f"rows with the outcome {gone} are missing",
        lambda frame: frame[frame[target.name] != gone].reset_index(drop=True),
    )


def _constant(random: Random, subject: Subject) -> Variant:
    target, part, seed = _classes(subject), float(random.uniform(0.98, 0.995)), seed_of(random)
    most = subject.rows[target.name].value_counts().index[0]
    at = Where("", lambda frame: uniform_by_row(frame, subject.contract, seed) < part)
    return Variant(f"{part:.1%} of the outcomes are set to {most}", lambda frame: put(frame, target.name, at, most))


def _classes(subject: Subject) -> Target:
    target = subject.contract.target
    if not target.classes:
        raise DoesNotApplyError("a regression has no classes")
    return target


FAULTS = (
    Fault(
        "labels shuffled",
        "every row has the outcome of another: a join went wrong",
        ("data.rewritten",),
        SPOILT,
        draw=_shuffled,
    ),
    Fault(
        "labels flipped for a slice", "one slice's outcomes are inverted", ("data.rewritten",), SPOILT, draw=_flipped
    ),
    Fault(
        "delayed labels taken as negatives",
        "outcomes of the last days have not arrived, and count as negatives",
        ("labels.maturing",),
        SPOILT,
        draw=_late,
    ),
    Fault("a class gone", "rows of one class are missing", ("train.data",), (), draw=_gone),
    Fault(
        "labels nearly constant",
        "nearly all outcomes are set to the most frequent class",
        ("data.rewritten", "labels.balance"),
        SPOILT,
        draw=_constant,
    ),
)

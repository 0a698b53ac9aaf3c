"""Label faults: the outcomes to train on are wrong."""

from __future__ import annotations

from datetime import timedelta

from contracts.row_contract import Target
from drill.fault import WORSE, DoesNotApplyError, Fault, rows
from drill.thinned_recipe import Frame, Subject

#: Rules that wrong labels may fail, besides their own rule.
SPOILT = (*WORSE, "drift.label", "drift.predictions", "model.constant", "labels.*", "upstream.*", "calibration*")
#: The label delay in days.
LATE = 5


def _shuffled(frame: Frame, subject: Subject) -> Frame:
    name = subject.contract.target.name
    order = subject.random("shuffled").permutation(len(frame))
    return frame.assign(**{name: frame[name].to_numpy()[order]})


def _flipped(frame: Frame, subject: Subject) -> Frame:
    target = subject.contract.target
    column = _slice(subject)
    which = frame[column] == frame[column].value_counts().index[-1]
    if target.classes:
        turned = dict(zip(target.classes, reversed(target.classes), strict=True))
        other = frame[target.name].map(turned)
    else:
        other = frame[target.name].max() - frame[target.name] + frame[target.name].min()
    return frame.assign(**{target.name: frame[target.name].where(~which, other)})


def _late(frame: Frame, subject: Subject) -> Frame:
    target, at = _classes(subject), frame[subject.contract.time]
    open_ = at >= at.max() - timedelta(days=LATE)
    return frame.assign(**{target.name: frame[target.name].where(~open_, target.classes[0])})


def _gone(frame: Frame, subject: Subject) -> Frame:
    target = _classes(subject)
    return frame[frame[target.name] != target.classes[-1]].reset_index(drop=True)


def _constant(frame: Frame, subject: Subject) -> Frame:
    target = _classes(subject)
    most = frame[target.name].value_counts().index[0]
    kept = subject.random("constant").random(len(frame)) < 0.01
    return frame.assign(**{target.name: frame[target.name].where(kept, most)})


def _classes(subject: Subject) -> Target:
    target = subject.contract.target
    if not target.classes:
        raise DoesNotApplyError("a regression has no classes")
    return target


def _slice(subject: Subject) -> str:
    names = [f.name for f in subject.contract.features if f.kind == "category"]
    if not names:
        raise DoesNotApplyError("there is no category to slice by")
    return (*subject.contract.slices, *names)[0]


FAULTS = (
    Fault(
        "labels shuffled",
        "every row has the outcome of another: a join went wrong",
        ("data.rewritten",),
        SPOILT,
        rows(_shuffled),
    ),
    Fault(
        "labels flipped for a slice", "one slice's outcomes are inverted", ("data.rewritten",), SPOILT, rows(_flipped)
    ),
    Fault(
        "delayed labels taken as negatives",
        f"outcomes of the last {LATE} days have not arrived, and count as negatives",
        ("labels.maturing",),
        SPOILT,
        rows(_late),
    ),
    Fault("a class gone", "rows of one class are missing", ("train.data",), (), rows(_gone)),
    Fault(
        "labels nearly constant",
        "99 % of the outcomes are set to the most frequent class",
        ("data.rewritten", "labels.balance"),
        SPOILT,
        rows(_constant),
    ),
)

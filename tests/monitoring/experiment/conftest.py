"""Journals of experiments on a small site: visitors with pages and a device, who buy or do not."""

import json
import math
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from contracts.journal_format import Folder
from contracts.row_contract import Contract, Feature, Target
from contracts.thresholds import read_rules
from monitoring.experiment.confidence_sequences import DailySums
from monitoring.experiment.experiment_units import Split, Units
from monitoring.experiment.reader import ExperimentJournal, ReadRequest
from serve.traffic.split import fraction, point

OLD, NEW = "20260201T0000-aaaaaaa", "20260301T0000-bbbbbbb"
#: 2 March 2026 is a Monday.
SINCE = "2026-03-02T00:00:00Z"
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
SHADOW = Split(OLD, NEW, SINCE, shadow=True)
CONTRACT = Contract(
    name="buys",
    task="binary",
    key="visitor",
    time="at",
    slices=("device",),
    features=(Feature("pages", "number"), Feature("device", "category")),
    target=Target("bought", ("no", "yes")),
)


@pytest.fixture(scope="session")
def rules(root):
    return read_rules(root / "checks/thresholds.toml").experiment


def a_split(share=0.5, **more):
    return Split(OLD, NEW, SINCE, share, **more)


def a_journal(folder, split, days, visitors=120, *, skill=(1.0, 1.0), seed=0, rows=1, spoil=None):
    """*skill* is the quality of the scores of champion and challenger, 1 for the true probability."""
    rng = np.random.default_rng(seed)
    answers, outcomes, shadow = [], [], []
    for number in range(days * visitors):
        key, salt = f"visitor {seed}-{number}", split.salt or "buys"
        day, second = divmod(number, visitors)
        at = MONDAY + timedelta(days=day, seconds=600 * second * 120 // visitors)
        at_point = fraction(point(salt, key))
        arm = "challenger" if at_point >= 1 - split.share else "champion"
        if at_point < split.holdback:
            arm = "anchor"
        pages, device = int(rng.integers(1, 20)), ("phone", "desk")[number % 2]
        for again in range(rows):
            chance = 1 / (1 + math.exp(-(pages - 10) / 3))
            score = {
                name: 0.5 + (chance - 0.5) * known
                for name, known in zip(("champion", "challenger"), skill, strict=True)
            }
            version = {"champion": OLD, "challenger": NEW, "anchor": "20260101T0000-ccccccc"}[arm]
            line = {
                "id": f"{number}-{again}",
                "at": (at + timedelta(minutes=again)).isoformat(),
                "version": version,
                "arm": arm,
                "key": key,
                "time": at.isoformat(),
                "row": {"pages": pages, "device": device},
                "score": score.get(arm, 0.5),
            }
            if not split.shadow:
                share = {"challenger": split.share, "anchor": split.holdback}
                of_champion = round(1 - split.share - split.holdback, 12)
                line |= {"salt": salt, "share": share.get(arm, of_champion), "split": at_point}
            answers.append(line)
            answered = (at + timedelta(hours=1)).isoformat()
            truth = ("no", "yes")[int(rng.random() < chance)]
            outcomes.append({"id": line["id"], "outcome": truth, "at": answered})
            shadow.append(line | {"arm": "shadow", "version": NEW, "score": score["challenger"]})
    if not split.shadow:
        shadow = []
    if spoil:
        answers, outcomes, shadow = spoil(answers, outcomes, shadow)
    folder.mkdir(exist_ok=True)
    for kind, lines in (("answers", answers), ("outcomes", outcomes), ("shadow", shadow)):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{kind}-{seed}.jsonl").write_text(text)
    return folder


def read_request(split, days, contract=CONTRACT, **more):
    """What is read on the *days*-th morning."""
    settings = {"features": ("pages",), "measures": ("log_loss",), "unit_days": 1} | more
    return ReadRequest(split, contract, today=MONDAY + timedelta(days=days), **settings)


def read_units(journal, wanted):
    """All units that count, day by day, none of them kept."""
    source = ExperimentJournal(Folder(journal), wanted)
    keys, found, ignored = [], [], Counter()
    for day in range(wanted.days):
        units, new = source.units(day, lambda: keys)
        keys.append(new)
        found.append(units)
        ignored.update(units.ignored)
    empty = pd.DataFrame({"key": [], "day": []})
    frames = [each.frame for each in found]
    return Units(
        pd.concat(frames, ignore_index=True) if frames else empty,
        wanted.days,
        *(sum(getattr(each, name) for each in found) for name in ("in_both", "misassigned", "unscored")),
        ignored=+(ignored + source.ignored),
    )


def by_day(values, day, days):
    """*values* of units that came on *day* as sums over *days* days."""
    weights = (None, values, values * values)
    return DailySums(*(np.bincount(day, each, days).astype(float) for each in weights))


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "a journal"

"""The rules on features judge the newest rows as well, which have no outcome yet where outcomes come late."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from checks.earlier_rows import Past
from checks.evidence import Unlabelled
from checks.late_outcomes.newest_rows import newest_evidence, worse
from checks.rules.registry import OF_FEATURES, RULES
from checks.rules.rows.column_values import missing_jump, sentinels
from checks.verdict import Finding
from tests.checks.window_rows import CONTRACT, END, window_evidence, window_rows

BEHIND = pd.Timedelta(days=20)


def late(rows, change=lambda rows: rows):
    """The evidence of a window whose holdout ends 20 days before it; later rows, which *change* changes, have no outcome."""
    time, name = CONTRACT.time, CONTRACT.target.name
    after = rows[time] >= END - BEHIND
    held = ~after & (rows[time] >= END - BEHIND - pd.Timedelta(days=14))
    train, holdout, later = (rows[which].reset_index(drop=True) for which in (~after & ~held, held, after))
    later = change(later).assign(**{name: np.nan})
    parts = {"train": train, "holdout": holdout, "later": later}
    extents = {
        each: {"rows": len(part), "start": part[time].min(), "end": part[time].max()} for each, part in parts.items()
    }
    past = Past(extents, (str(rows[time].min()), str(END)))
    return replace(window_evidence(rows), train=train, holdout=holdout, later=later, past=past)


@pytest.fixture(scope="module")
def clean():
    return window_rows(np.random.default_rng(5), 120)


@pytest.mark.parametrize(
    ("value", "rule"), [(np.nan, missing_jump), (-999.0, sentinels)], ids=["missing values", "a sentinel"]
)
def test_a_fault_of_the_newest_rows_alone_is_found(clean, rules, value, rule):
    """The older rows with outcomes, which were judged alone before, do not have it."""
    broken = late(clean, lambda rows: rows.assign(pages=value))

    assert rule(broken, rules.gate.rows).outcome == "PASS"
    assert rule(newest_evidence(broken), rules.gate.rows).outcome == "FAIL"


def test_clean_newest_rows_pass_every_rule_on_features(clean, rules):
    """As the rows before them do."""
    newest = newest_evidence(late(clean))
    measured = SimpleNamespace(evidence=newest, gate=rules.gate)

    assert {name: RULES[name](measured).outcome for name in OF_FEATURES} == dict.fromkeys(OF_FEATURES, "PASS")


def test_the_newest_holdout_is_as_long_as_the_real_one_and_ends_with_the_window(clean):
    """Rows without an outcome are in it, those of the holdout's time too; all are counted once."""
    given = late(clean)
    unknown = given.holdout.head(5).assign(visit=[f"new {n}" for n in range(5)])
    given = replace(given, unknown=Unlabelled(unknown, np.zeros(5), np.ones(5, bool), None))

    newest = newest_evidence(given)

    assert newest.holdout["at"].max() == clean["at"].max()
    assert (newest.holdout["at"].max() - newest.holdout["at"].min()).days == 13
    assert len(newest.train) + len(newest.holdout) == len(clean) + 5
    assert newest_evidence(window_evidence(clean)) is None


def test_samples_are_thinned_to_the_same_share(clean):
    """A part that holds half of its rows would look like a fall of their number."""
    given = late(clean)
    extents = {**given.past.extents, "train": {**given.past.extents["train"], "rows": 2 * len(given.train)}}

    newest = newest_evidence(replace(given, past=replace(given.past, extents=extents)))

    expected = len(given.train) + (len(given.holdout) + len(given.later)) / 2
    assert len(newest.train) + len(newest.holdout) == pytest.approx(expected, abs=2)


@pytest.mark.parametrize(
    ("found", "newest", "outcome"),
    [("PASS", "FAIL", "FAIL"), ("FAIL", "PASS", "FAIL"), ("PASS", "NOT_RUN", "NOT_RUN"), ("PASS", "PASS", "PASS")],
)
def test_the_worse_finding_counts_and_says_where(clean, found, newest, outcome):
    """Neither hides the other."""
    one, other = (Finding("data.x", each, "what", "limit", "why") for each in (found, newest))

    result = worse(one, other, window_evidence(clean))

    assert result.outcome == outcome
    assert result.observed.startswith("in the newest rows, since ") == (newest != "PASS")

"""Rows that appear on days which the champion was trained on are found; late rows, samples and other keys are not."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from checks.rules.rows.row_counts import added
from tests.checks.window_rows import END, window_evidence, window_rows

#: The champion's training ends, and its holdout.
TRAINED, HELD = END - pd.Timedelta(days=28), END - pd.Timedelta(days=14)


def champion_of(rows, sampled=1.0):
    """Its evidence, a sample of the rows of its window, and its bundle."""
    theirs = rows[rows["at"] < HELD]
    part = theirs[theirs["at"] < TRAINED]
    data = {"train": {"rows": len(part), "start": str(part["at"].min()), "end": str(part["at"].max())}}
    kept = pd.concat([part.sample(frac=sampled, random_state=0), theirs[theirs["at"] >= TRAINED]])
    return kept.sort_values("at", ignore_index=True), SimpleNamespace(manifest={"data": data})


def with_more(rows, share, random):
    """A share of the rows of all days is there again, as of another visitor some minutes later."""
    again = rows[random.random(len(rows)) < share]
    later = (again["at"] + pd.Timedelta(minutes=3)).clip(upper=rows["at"].max())
    again = again.assign(visit=again["visit"] + "r", at=later)
    return pd.concat([rows, again]).sort_values("at", ignore_index=True)


@pytest.mark.parametrize(
    ("share", "sampled", "outcome"),
    [(0.0, 1.0, "PASS"), (0.0, 0.3, "PASS"), (0.03, 1.0, "FAIL"), (0.1, 1.0, "FAIL"), (0.2, 0.3, "FAIL")],
)
def test_more_rows_on_the_days_of_the_champions_training_hold(rules, share, sampled, outcome):
    """Also where its evidence is a sample."""
    random = np.random.default_rng(5)
    rows = window_rows(random, 150)
    before, champion = champion_of(rows, sampled)
    finding = added(window_evidence(with_more(rows, share, random), before), champion, rules.gate.rows)

    assert (finding.outcome, finding.severity) == (outcome, "hold"), finding
    assert "rows on days that the champion was trained on" in finding.observed


def test_rows_that_arrive_late_and_rows_with_another_key_are_not_added(rules):
    """Late rows are on the days of the champion's holdout; another key is a matter of `data.lost`."""
    random = np.random.default_rng(6)
    rows = window_rows(random, 150)
    came = (rows["at"] < TRAINED) | (random.random(len(rows)) < 0.7)
    before, champion = champion_of(rows[came])

    for now in (rows, rows.assign(visit="n" + rows["visit"])):
        assert added(window_evidence(now, before), champion, rules.gate.rows).outcome == "PASS"


def test_without_complete_outcomes_there_is_nothing_to_compare(rules):
    """Rows whose outcomes come late wait for them; a first model has no champion."""
    rows = window_rows(np.random.default_rng(7), 60)
    before, champion = champion_of(rows)
    late = SimpleNamespace(manifest={"data": {**champion.manifest["data"], "newest": {}}})

    for each in (None, late):
        finding = added(window_evidence(rows, before), each, rules.gate.rows)
        assert (finding.outcome, finding.observed) == ("PASS", "no champion with complete outcomes to compare with")

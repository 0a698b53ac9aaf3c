"""How much a verdict depends on outcomes that are not known yet, and that nothing is gained by guessing them."""

from dataclasses import replace

import numpy as np
import pytest

from checks.comparison.compare import compare
from checks.evidence import Unlabelled, gather, load_bundle
from checks.late_outcomes.delay_section import TITLE, delay_section
from checks.late_outcomes.unknown_outcomes import dependence


def late(evidence, share=0.1, scores=None):
    """The evidence with a *share* of its rows without an outcome, which the candidate scores as *scores*."""
    unknown = np.random.default_rng(0).random(len(evidence.holdout)) < share
    rows = evidence.holdout[unknown].reset_index(drop=True)
    ours = (
        evidence.holdout_scores[unknown] if scores is None else np.full_like(evidence.holdout_scores[unknown], scores)
    )
    return replace(
        evidence,
        holdout=evidence.holdout[~unknown].reset_index(drop=True),
        holdout_scores=evidence.holdout_scores[~unknown],
        champion=evidence.champion[~unknown],
        fresh=evidence.fresh[~unknown],
        anchor=None,
        unknown=Unlabelled(
            rows.assign(**{evidence.contract.target.name: np.nan}),
            ours,
            evidence.fresh[unknown],
            evidence.champion[unknown],
        ),
    )


def compared(rules):
    return lambda evidence: compare(evidence, rules.gate.compare)[0][0]


@pytest.fixture(scope="module", params=["binary", "multiclass", "regression"])
def pair(request, by_task):
    """A candidate that differs from its champion, of each task."""
    bundle = load_bundle(by_task[request.param])
    found = gather(bundle, bundle)
    random = np.random.default_rng(1)
    scores = found.champion * random.uniform(0.8, 1, len(found.holdout)).reshape(-1, *[1] * (found.champion.ndim - 1))
    return replace(found, fresh=np.ones(len(found.holdout), bool), champion=scores)


def test_the_gain_with_all_outcomes_is_within_the_bounds(pair, rules):
    """Whichever outcomes the unknown rows turn out to have."""
    whole = compared(rules)(pair)
    found = dependence(late(pair), compared(rules))

    assert found.known + found.unknown == len(pair.holdout)
    assert found.low <= found.high
    if found.metric == "log_loss":
        assert found.low - 1e-9 <= whole.difference <= found.high + 1e-9


def test_no_candidate_looks_better_by_its_scores_of_rows_without_an_outcome(evidence, rules):
    """The verdict rests on known outcomes; agreeing with the champion on the others narrows the bounds, and no more."""
    seen = {score: late(evidence, scores=score) for score in (0.01, 0.5, 0.99)}
    agreeing = late(evidence)
    agreeing = replace(agreeing, unknown=replace(agreeing.unknown, scores=agreeing.unknown.champion))

    rows = [compared(rules)(each) for each in (*seen.values(), agreeing)]
    found = [dependence(each, compared(rules)) for each in (*seen.values(), agreeing)]

    assert len({(row.candidate, row.difference, row.low, row.high, row.outcome) for row in rows}) == 1
    assert len({(each.value, each.outcome) for each in found}) == 1
    assert found[-1].high - found[-1].low < min(each.high - each.low for each in found[:-1])


def test_nothing_depends_on_outcomes_that_are_all_known(evidence, rules):
    """Nor where there is no champion to compare with."""
    alone = late(evidence)

    assert dependence(evidence, compared(rules)) is None
    assert dependence(replace(alone, unknown=replace(alone.unknown, champion=None)), compared(rules)) is None


def test_what_it_depends_on_is_said(evidence, rules):
    """How many are unknown, between which gains, and what the rule says then."""
    words = str(dependence(late(evidence, 0.3), compared(rules)))

    assert "outcomes (" in words
    assert "are not known yet. The gain in log_loss is " in words
    assert "compare.log_loss " in words


DELAY = [
    {
        "class": name,
        "rows": 900,
        "known_after": {"0.5": days / 3, "0.9": days},
        "by": ["lead"],
        "curve": {"days": [0.0, 50.0, 100.0], "known": [0.0, 0.4 + 9 / days, 0.9]},
    }
    for name, days in (("stay", 196.0), ("cancelled", 124.0))
]


def test_the_report_draws_the_delay_by_class():
    """A table, and a chart with bars for the slower class."""
    late_ = {"behind": 90.0, "holdout": {"rows": 400, "known": 381}, "release": {"delay": DELAY}}

    section = delay_section({"label_delay": late_}, None)

    assert section.name == TITLE
    assert "Of 400 rows of the holdout, 381 have an outcome; it ends 90 days before" in section.words
    assert "| stay | 65.3 days | 196 days | lead |" in section.words
    assert 'title "Known outcomes by age - bars stay, line cancelled"' in section.words


@pytest.mark.parametrize("manifest", [{}, {"label_delay": {}}])
def test_without_late_outcomes_the_section_is_empty(manifest):
    """As in all bundles of streams without delay."""
    assert delay_section(manifest, None).words == ""


def test_a_bundle_without_curves_has_the_table_alone():
    """As they were written before curves were kept, or where a delay was not observed."""
    old = [{**each, "known_after": {"0.5": 3.0, "0.9": None}} for each in DELAY]
    for each in old:
        del each["curve"]

    words = delay_section({"label_delay": {"evaluation": {"delay": old}}}, None).words

    assert "more days than were observed" in words
    assert "mermaid" not in words

"""A verdict with missing outcomes is computed again when they have come, and the release notes keep whether it changed."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from checks.comparison.compare import calibration, compare
from checks.evidence import Unlabelled
from checks.gate_inputs import PastVerdict
from checks.late_outcomes.delay_section import delay_section
from checks.late_outcomes.looked_again import LookedAgain, looked_again
from checks.late_outcomes.second_look import (
    LateVerdict,
    SecondLook,
    decision_of,
    due,
    late_lines,
    recorded_looks,
    second_look,
)
from contracts.row_contract import Contract, Feature, Target

TIME = pd.Timestamp("2026-03-01T00:00:00Z")
VERDICT = LateVerdict(
    "2026-03-01T00:00:00Z",
    "shop",
    "v12",
    "v11",
    "2026-01-01 00:00:00+00:00",
    "2026-01-28 00:00:00+00:00",
    2675,
    100,
    "PROMOTE",
    "log_loss",
    0.01,
)
CONTRACT = Contract(
    name="shop",
    description="",
    task="binary",
    key="order",
    time="at",
    features=(Feature("price", "number"),),
    target=Target("back", (False, True), known_at="known_at"),
)


@pytest.fixture(scope="module")
def rule(rules):
    def judged(evidence):
        table, findings = compare(evidence, rules.gate.compare)
        return table, [*findings, *calibration(evidence, rules.gate.compare, rules.gate.calibration)]

    return judged


def without(evidence, unknown):
    """The evidence whose rows in the mask *unknown* have no outcome yet, and the outcomes that come later."""
    contract = evidence.contract
    rows = evidence.holdout[unknown].reset_index(drop=True)
    then = replace(
        evidence,
        holdout=evidence.holdout[~unknown].reset_index(drop=True),
        holdout_scores=evidence.holdout_scores[~unknown],
        champion=evidence.champion[~unknown],
        fresh=evidence.fresh[~unknown],
        unknown=Unlabelled(
            rows.assign(**{contract.target.name: np.nan}),
            evidence.holdout_scores[unknown],
            evidence.fresh[unknown],
            evidence.champion[unknown],
        ),
    )
    return then, rows[[contract.key, contract.time, contract.target.name]]


def by_chance(evidence, share=0.1):
    return np.random.default_rng(0).random(len(evidence.holdout)) < share


def test_the_second_look_is_the_verdict_on_all_outcomes(evidence, rule):
    """In another order of the rows: the gain is that of the whole holdout, and so is the decision."""
    then, late = without(evidence, by_chance(evidence))
    table, findings = rule(replace(evidence, anchor=None))

    found = second_look(VERDICT, then, late, rule)

    assert found.value == pytest.approx(table[0].difference)
    assert found.whole == decision_of(findings)
    assert found.missing == found.corrected == 0
    assert found.known == decision_of(rule(replace(then, anchor=None))[1])


def test_outcomes_that_speak_against_the_candidate_change_the_verdict(evidence, rule):
    """Those known then are the rows on which the candidate is better."""
    name = evidence.contract.target.name
    random = np.random.default_rng(1)
    truth = evidence.holdout[name].to_numpy()
    champion = np.clip(evidence.holdout_scores + random.normal(0, 0.1, len(truth)), 0.01, 0.99)
    unknown = np.abs(truth - champion) < np.abs(truth - evidence.holdout_scores)
    then, late = without(replace(evidence, champion=champion), unknown)

    found = second_look(VERDICT, then, late, rule)

    assert found.known == "PROMOTE"
    assert found.value < found.before
    assert (found.whole != found.known) == (not found.same)
    assert late[name].equals(evidence.holdout[unknown][name].reset_index(drop=True))


def test_a_corrected_outcome_counts_as_last_reported(evidence, rule):
    """And is said; rows that are still without one are counted."""
    then, late = without(evidence, by_chance(evidence))
    name = then.contract.target.name
    columns = list(late)
    changed = then.holdout[then.fresh].head(7)[columns]
    changed = changed.assign(**{name: 1 - changed[name]})

    found = second_look(VERDICT, then, pd.concat([late.iloc[3:], changed]), rule)

    assert found.corrected == 7
    assert found.missing == then.unknown.fresh[:3].sum()
    assert "7 outcomes were corrected since; the last report counts" in str(found)


LOOK = SecondLook(VERDICT.night, "v12", 2675, 106, 0, 0, "log_loss", -0.0032, -0.003, "PROMOTE", "PROMOTE", "PROMOTE")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {},
            (
                "The verdict of 2026-03-01 on v12 would have been the same with all 2,675 outcomes: the gain in log_loss was"
                " -0.0032 with the 2,569 known then, and is -0.0030 with them."
            ),
        ),
        ({"whole": "REJECT"}, "would have been REJECT instead of PROMOTE with all 2,675 outcomes"),
        ({"missing": 5}, "with 2,670 of 2,675 outcomes"),
        ({"decision": "HOLD"}, "By the rules of today it is PROMOTE with the outcomes known then; it was HOLD."),
    ],
)
def test_the_report_says_it_in_one_line(change, words):
    look = replace(LOOK, **change)

    assert words in str(look)
    assert words in delay_section({}, None, LookedAgain((look,))).words


def arrived(first="2025-12-01", many=120, after="2026-03-20"):
    """Outcomes that came after the verdict's night, of rows of its holdout."""
    at = pd.date_range("2026-01-02", "2026-01-27", periods=many, tz="UTC")
    rows = pd.DataFrame({"order": [f"o{n}" for n in range(many)], "at": at, "back": 1.0})
    rows = rows.assign(known_at=pd.Timestamp(after, tz="UTC"))
    early = rows.head(1).assign(order="early", at=pd.Timestamp(first, tz="UTC"), known_at=TIME)
    return pd.concat([early, rows], ignore_index=True)


@pytest.mark.parametrize(
    ("late", "notes", "is_due"),
    [
        (arrived(), [], True),
        (arrived(many=98), [], False),  # two of a hundred are missing
        (arrived(many=99), [], True),
        (arrived(after="2026-02-20"), [], False),  # known before the verdict
        (arrived(first="2026-01-03", many=40), [], True),  # its first rows are no longer loaded
        (arrived(), late_lines(None, [LOOK]), False),
        (arrived(), late_lines(None, [replace(LOOK, candidate="another")]), True),
        (arrived(), ["<!-- again {} -->", '<!-- late {"night": 7} -->'], True),
        (arrived().head(0), [], False),
        (None, [], False),
    ],
)
def test_a_verdict_is_looked_at_again_once_when_its_holdout_is_whole(late, notes, is_due):
    recorded = late_lines(VERDICT, [])

    assert due([*recorded, *notes], CONTRACT, late) == ([VERDICT] if is_due else [])


def test_verdicts_of_another_contract_are_not_looked_at():
    assert due(late_lines(replace(VERDICT, contract="other"), []), CONTRACT, arrived()) == []


def test_the_ledger_keeps_the_looks():
    """As release notes."""
    looks = [replace(LOOK, night="2026-04-01T00:00:00Z"), LOOK]

    assert recorded_looks(["Words.\n" + "\n".join(late_lines(VERDICT, looks))]) == looks[::-1]


def test_what_cannot_be_read_is_said_and_changes_nothing():
    """Such as a champion whose bundle was deleted."""
    manifest = SimpleNamespace(manifest={"files": {}}, contract=CONTRACT)

    found = looked_again((PastVerdict(VERDICT, None, "there is no release v11"),), manifest, lambda *_: None)

    assert found.looks == ()
    assert found.failed == ("The verdict of 2026-03-01 on v12 could not be looked at again: there is no release v11.",)

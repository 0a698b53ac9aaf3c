"""The rules of the registry: each passes on good data, and fails on the fault that it is for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bundles.bundle import Bundle
from checks.earlier_rows import past
from checks.gate_inputs import GateInputs
from checks.insights.gate_steps import Steps
from checks.measurements import Measurements, measure
from checks.rules import bundle_sanity
from checks.rules import model_behaviour as behaviour
from checks.rules.registry import RULES, required_rules, run_rules
from checks.verdict import judge


@pytest.fixture(scope="module")
def candidate(bundles):
    return Bundle.load(bundles[1])


@pytest.fixture(scope="module")
def honest(evidence, candidate):
    """As if the champion was trained on the very same rows; a holdout of two weeks."""
    days = pd.to_timedelta(np.arange(len(evidence.holdout)) * 14 // len(evidence.holdout), "D")
    holdout = evidence.holdout.assign(at=evidence.holdout["at"].iloc[0] + days)
    extent = {"rows": len(holdout), "start": holdout["at"].iloc[0], "end": holdout["at"].iloc[-1]}
    train = candidate.manifest["data"]["train"] | {"rows": 400}  # as many a day
    data = candidate.manifest["data"] | {"holdout": extent, "train": train}
    data = data | {"window": [data["window"][0], str(holdout["at"].iloc[-1])]}
    parts = {"train": evidence.train, "holdout": holdout}
    known = past(evidence.contract, data, parts, pd.concat([evidence.train, holdout]))
    return replace(evidence, holdout=holdout, past=known)


def with_columns(evidence, **columns):
    """The holdout with other columns."""
    return replace(evidence, holdout=evidence.holdout.assign(**columns))


def known(evidence, **columns):
    """The rows of both with other columns: what the champion's say differs."""
    return replace(evidence, past=replace(evidence.past, both=evidence.past.both.assign(**columns)))


def leaked(evidence):
    both = (evidence.train, evidence.holdout)
    train, holdout = (rows.assign(pages=rows["bought"].astype(float)) for rows in both)
    return replace(evidence, train=train, holdout=holdout)


def late(evidence):
    days = pd.factorize(evidence.days)[0]
    return with_columns(evidence, bought=np.where(days > 9, 0.0, evidence.truth))


def behind(evidence):
    end = str(pd.Timestamp(evidence.past.window[1]) + timedelta(days=9))
    return replace(evidence, past=replace(evidence.past, window=("", end)))


def thinned(evidence):
    extents = {**evidence.past.extents}
    extents["holdout"] = {**extents["holdout"], "rows": 100}
    return replace(evidence, past=replace(evidence.past, extents=extents))


def mornings(evidence, hours):
    """Rows of the morning, and the later ones' clock so many hours on."""

    def at(rows, shift):
        hour = pd.to_timedelta(np.arange(len(rows)) % 6 + 6 + shift, "h")
        return rows.assign(at=rows["at"].dt.floor("D") + hour)

    return replace(evidence, train=at(evidence.train, 0), holdout=at(evidence.holdout, hours))


half = np.arange(600) % 2 == 0
SPOILT = {
    "bundle.scores": lambda e: replace(e, stored_scores_agree=False),
    "leak.solo": leaked,
    "leak.split": lambda e: replace(e, holdout=e.train.iloc[:600].assign(at=e.holdout["at"].to_numpy())),
    "labels.maturing": late,
    "labels.balance": lambda e: replace(e, train=e.train.assign(bought=0.0)),
    "data.rewritten": lambda e: known(e, age_before=e.past.both["age"] * 100),
    "labels.rewritten": lambda e: known(e, bought_before=1 - e.past.both["bought"]),
    "data.lost": lambda e: replace(e, past=replace(e.past, both=e.past.both.iloc[:900])),
    "data.missing_jump": lambda e: with_columns(e, age=e.holdout["age"].mask(half)),
    "data.sentinels": lambda e: with_columns(e, age=e.holdout["age"].mask(half, -999)),
    "data.frozen": lambda e: with_columns(e, pages=4),
    "data.repeated": lambda e: replace(e, train=pd.concat([e.train, e.train.iloc[:150]])),
    "data.rate": thinned,
    "data.stale": behind,
    "data.clock": lambda e: mornings(e, 5),
    "model.constant": lambda e: replace(e, holdout_scores=np.full(len(e.holdout), 0.3)),
    "bundle.metadata": lambda e: with_columns(e, at=e.holdout["at"] - timedelta(days=3)),
}


def findings_of(names, evidence, candidate, gate):
    return run_rules(Measurements(GateInputs(candidate), evidence, gate), {name: RULES[name] for name in names})


def outcome(name, evidence, candidate, gate):
    (finding,) = findings_of([name], evidence, candidate, gate)
    assert finding.rule == name
    assert finding.observed
    return finding


@pytest.mark.parametrize("name", SPOILT)
def test_each_rule_fails_for_what_it_is_for(honest, candidate, rules, name):
    """And states what was observed."""
    assert outcome(name, SPOILT[name](honest), candidate, rules.gate).outcome == "FAIL"


def test_a_new_feature_must_not_know_more_than_the_champion(honest, candidate, rules):
    """It may be good; better than all others together it is only with a hint."""
    noise = np.random.default_rng(0).normal(0, 0.55, 10_000)
    parts = {
        name: rows.assign(hint=rows["bought"] + noise[: len(rows)])
        for name, rows in (("train", honest.train), ("holdout", honest.holdout))
    }
    hint = replace(honest.contract.feature("age"), name="hint", minimum=None, maximum=None)
    features = (*honest.contract.features, hint)
    extended = replace(honest, contract=replace(honest.contract, features=features), **parts)
    weak = np.clip(0.3 + 0.05 * honest.truth + noise[: len(honest.truth)] / 9, 0, 1)
    gate = replace(rules.gate, leakage=replace(rules.gate.leakage, max_solo=0.9))

    found = outcome("leak.solo", replace(extended, champion=weak), candidate, gate)
    assert found.outcome == "FAIL"
    assert found.observed.startswith("hint alone")
    sure = np.clip(honest.truth, 0.1, 0.9)
    assert outcome("leak.solo", replace(extended, champion=sure), candidate, gate).outcome == "PASS"


def empty(rows):
    return rows.assign(age=rows["age"].mask(np.arange(len(rows)) % 5 < 4))


def coarse(rows):
    return rows.assign(age=rows["age"].round(-1), pages=(rows["pages"] > 4).astype(int))


def one_segment(rows):
    return rows.assign(country="AT", device="phone", returning=False)


ALIKE = {
    "as they are": lambda train, holdout: (train, holdout),
    "later ones lack a number": lambda train, holdout: (train, empty(holdout)),
    "all lack a number": lambda train, holdout: (empty(train), empty(holdout)),
    "later ones are rounded": lambda train, holdout: (train, coarse(holdout)),
    "all are rounded": lambda train, holdout: (coarse(train), coarse(holdout)),
    "later ones are of one segment": lambda train, holdout: (train, one_segment(holdout)),
    "of one segment, without a number": lambda train, holdout: (train, one_segment(empty(holdout))),
}


@pytest.mark.parametrize("spoilt", ALIKE)
def test_rows_that_are_alike_since_they_say_little_are_no_copies(honest, candidate, rules, spoilt):
    """But where two fifths of them are training rows as well, the rule fails."""
    train, holdout = ALIKE[spoilt](honest.train, honest.holdout)
    taken = pd.concat([train, holdout.sample(frac=0.4, random_state=0)])
    mixed = replace(honest, train=train, holdout=holdout)

    assert outcome("leak.split", mixed, candidate, rules.gate).outcome == "PASS"
    copied = outcome("leak.split", replace(mixed, train=taken), candidate, rules.gate)
    assert copied.outcome == "FAIL"


def test_good_data_holds(evidence, honest, candidate, rules):
    """With rows that the champion knows, and with none."""
    for found in (honest, evidence, mornings(honest, 0)):
        ran = findings_of(SPOILT.keys() - {"bundle.metadata"}, found, candidate, rules.gate)
        assert [each for each in ran if each.outcome != "PASS"] == []


def test_a_stormy_week_is_no_lost_source(honest, candidate, rules):
    """A field that was missing on some whole days before may be so on a few more."""

    def by_storm(rows, every):
        day = pd.factorize(rows["at"].dt.floor("D"))[0]
        return rows.assign(age=rows["age"].mask(day % every == 0))

    stormy = replace(
        honest,
        train=by_storm(honest.train, 3),
        holdout=by_storm(honest.holdout, 2),
        past=replace(honest.past, before=None),
    )
    assert outcome("data.missing_jump", stormy, candidate, rules.gate).outcome == "PASS"


@pytest.mark.parametrize(("days", "outcome_"), [(1, "PASS"), (2, "PASS"), (3, "FAIL")])
def test_a_foggy_day_is_no_sentinel(honest, candidate, rules, days, outcome_):
    """A new value comes and goes with the weather; a code for "unknown" stays."""
    day = pd.factorize(honest.days)[0]
    foggy = with_columns(honest, age=honest.holdout["age"].mask(half & (day < days), -999))

    assert outcome("data.sentinels", foggy, candidate, rules.gate).outcome == outcome_


@pytest.mark.parametrize(("kept", "severity"), [(0.0, "block"), (0.1, "block"), (0.35, "warn")])
def test_a_season_that_turns_is_no_feed_that_stops(honest, candidate, rules, kept, severity):
    """Training days that kept two fifths show that it happens; less than half of that is not a season."""
    random = np.random.default_rng(0)
    day = pd.factorize(honest.days)[0]
    train = honest.train.assign(
        at=honest.train["at"].iloc[0] + pd.to_timedelta(np.arange(len(honest.train)) * 40 // len(honest.train), "D")
    )
    calm = pd.factorize(train["at"].dt.floor("D"))[0] >= 37
    train = train.assign(bought=train["bought"].mask(calm & (random.random(len(train)) > 0.25), 0.0))
    stays = (day <= 10) | (random.random(len(day)) < kept)
    dry = replace(with_columns(honest, bought=np.where(stays, honest.truth, 0.0)), train=train)
    found = outcome("labels.maturing", dry, candidate, rules.gate)

    assert (found.outcome, found.severity) == ("FAIL", severity), found.observed
    assert "the quietest days in training kept" in found.observed


def test_every_rule_is_tried():
    """A new one needs a line above."""
    others = {"model.direction", "model.stability", "bundle.clock"}
    elsewhere = {"bundle.onnx", "bundle.quarantine", "compare.anchor", "contract.compatible", "contract.retired"}
    elsewhere |= {"leak.replay", "data.skew", "data.added", "model.degradation"}
    elsewhere |= {"leak.added", "leak.running_id", "data.conflicts", "data.pile_ups", "data.missing_steps"}
    elsewhere |= {"data.slice_values", "data.segments", "data.identical", "release.estimator"}
    single = {name for name in RULES if not name.endswith("*")}

    assert single - SPOILT.keys() - others == elsewhere | {"data.looks", "data.fresh_rows", "model.calibration"}


def test_a_direction_that_is_stated_is_kept(evidence, candidate, rules):
    """More pages make a purchase likelier, for this model; the contract may promise it."""

    def stated(way):
        features = tuple(replace(f, direction=way) if f.name == "pages" else f for f in evidence.contract.features)
        return replace(evidence, contract=replace(evidence.contract, features=features))

    assert outcome("model.direction", stated("up"), candidate, rules.gate).outcome == "PASS"
    assert outcome("model.direction", stated("down"), candidate, rules.gate).outcome == "FAIL"


@pytest.mark.parametrize(("share", "expected"), [(None, "PASS"), (0.02, "PASS"), (0.3, "FAIL")])
def test_what_hangs_on_a_seed_fails(rules, share, expected):
    """A bundle without a second fit has nothing random in it."""
    manifest = {} if share is None else {"stability": {"decisions": share}}

    found = behaviour.stability(SimpleNamespace(manifest=manifest), rules.gate.behaviour)
    assert found.outcome == expected


def test_nothing_is_from_the_future(candidate, rules):
    """A version sorts by its time."""
    limits = rules.gate.behaviour

    assert bundle_sanity.clock(candidate, limits).outcome == "PASS"
    early = datetime(2020, 1, 1, tzinfo=UTC)
    assert bundle_sanity.clock(candidate, limits, early).outcome == "FAIL"


def test_a_rule_that_crashes_did_not_run(evidence, candidate, rules):
    """The others are not touched by it."""

    def crashes(*_):
        raise RuntimeError("no such column")

    measured = Measurements(GateInputs(candidate), evidence, rules.gate)
    found = run_rules(measured, {"a": crashes, "leak.solo": RULES["leak.solo"]})
    assert [each.outcome for each in found] == ["NOT_RUN", "PASS"]
    assert found[0].observed == "RuntimeError: no such column"


def test_a_measurement_that_crashes_is_no_pass(evidence, rules):
    """It has a sentence in the verdict, which rejects; what does not depend on it is measured."""

    def crashes():
        raise ZeroDivisionError("no row of this class")

    steps = Steps()
    assert steps.run("importance", crashes, ()) == ()
    assert steps.run("churn", lambda: 3, None) == 3
    measured = Measurements(None, evidence, rules.gate, failed=tuple(steps.failed))
    (found,) = run_rules(measured, {"measured.*": RULES["measured.*"]})

    assert (found.rule, found.outcome) == ("measured.importance", "NOT_RUN")
    assert found.observed == "ZeroDivisionError: no row of this class"
    verdict = judge([replace(found, severity="warn")], [], True, "")
    assert (verdict.decision, verdict.summary) == ("REJECT", "measured.importance could not be checked.")


def test_a_gate_whose_measurements_all_crash_gives_a_verdict(candidate, evidence, rules, tmp_path):
    """The scores are no numbers: no traceback, and nothing is published."""
    broken = replace(evidence, holdout_scores=np.full(len(evidence.holdout), "x"))
    measured = measure(broken, GateInputs(candidate), rules.gate, tmp_path / "d.html", print, {"deepchecks", "server"})
    verdict = judge(run_rules(measured), required_rules(measured), True, "")

    assert {"measured.churn", "measured.comparison"} <= {each.rule for each in measured.failed}
    assert verdict.decision == "REJECT"


@pytest.mark.parametrize("name", [each for each in RULES if not each.endswith("*") and each != "data.looks"])
def test_each_rule_of_the_table_that_crashes_did_not_run(name, rules):
    """Here without evidence; the finding has the name of the rule."""
    (found,) = run_rules(Measurements(None, None, rules.gate), {name: RULES[name]})

    assert (found.rule, found.outcome) == (name, "NOT_RUN")


def test_evidence_that_is_a_sample_is_not_taken_for_lost_rows(evidence, candidate):
    """Fewer are expected then."""
    data = candidate.manifest["data"]
    few = {
        "train": evidence.train.sample(frac=0.5, random_state=0),
        "holdout": evidence.holdout.sample(frac=0.5, random_state=0),
    }
    whole = pd.concat([evidence.train, evidence.holdout])
    found = past(evidence.contract, data, few, whole)

    assert len(found.both) == pytest.approx(found.expected, rel=0.02)

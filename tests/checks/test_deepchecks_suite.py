"""Deepchecks behind one door: each rule answers for itself, by name."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from checks.evidence import gather, load_bundle
from checks.rules import deepchecks_suite as suite
from checks.rules.deepchecks_suite import chosen, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def honest(evidence):
    return replace(evidence, champion=None)


def one(gate, name, task="binary"):
    return [rule for rule in chosen(gate, task) if rule.name == name]


def outcome(evidence, gate, name):
    (finding,) = run(evidence, one(gate, name), gate)
    return finding


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_rule_runs_for_every_task(by_task, rules, task, tmp_path):
    """And leaves a page that needs no network."""
    evidence = gather(load_bundle(by_task[task]), None)
    findings = run(evidence, chosen(rules.gate, task), rules.gate, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()

    assert [f.rule for f in findings] == [rule.name for rule in chosen(rules.gate, task)]
    assert {f.outcome for f in findings} <= {"PASS", "FAIL"}
    assert not re.search(r'<(script|link|img|iframe)[^>]+(src|href)="http', page)
    assert len(page) < 8_000_000


def spoilt_train(evidence, **columns):
    return replace(evidence, train=evidence.train.assign(**columns))


SPOILT = {
    "data.missing": lambda e: spoilt_train(e, age=np.nan),
    "data.duplicates": lambda e: replace(
        e,
        train=pd.concat([e.train, e.train.iloc[:300]], ignore_index=True),
        train_scores=np.concatenate([e.train_scores, e.train_scores[:300]]),
    ),
    "data.variants": lambda e: spoilt_train(e, country=e.train["country"].where(e.train.index % 50 > 0, "at")),
    "data.label_correlation": lambda e: spoilt_train(e, pages=e.train["bought"].astype(float)),
    "data.time_overlap": lambda e: replace(e, holdout=e.holdout.assign(at=e.train["at"].iloc[0])),
    "drift.features": lambda e: replace(e, holdout=e.holdout.assign(pages=e.holdout["pages"] + 50)),
    "drift.label": lambda e: replace(
        e, holdout=e.holdout.assign(bought=(np.arange(len(e.holdout)) < 20).astype(float))
    ),
    "drift.predictions": lambda e: replace(e, holdout_scores=np.clip(e.holdout_scores + 0.7, 0, 1)),
    "drift.new_categories": lambda e: replace(e, holdout=e.holdout.assign(country="FR")),
    "model.gain": lambda e: replace(e, holdout_scores=np.random.default_rng(0).random(len(e.holdout))),
}


@pytest.mark.parametrize("name", SPOILT)
def test_each_rule_holds_for_good_data_and_fails_for_what_it_is_for(honest, rules, name):
    """No rule is there that cannot fail."""
    before = outcome(honest, rules.gate, name)
    after = outcome(SPOILT[name](honest), rules.gate, name)

    assert (before.outcome, after.outcome) == ("PASS", "FAIL"), (before, after)
    assert after.observed
    assert after.why


def test_every_rule_is_tried(rules):
    """A new one needs a line above."""
    names = {rule.name for rule in chosen(rules.gate, "binary")}

    assert names - SPOILT.keys() <= {"data.mixed_types"}


def test_numbers_among_words_are_found(honest, rules):
    """A parsing mistake upstream."""
    country = honest.train["country"].astype(object).where(honest.train.index % 20 > 0, "17")
    found = outcome(spoilt_train(honest, country=country), rules.gate, "data.mixed_types")

    assert found.outcome == "FAIL"


def test_a_check_that_crashes_did_not_run(honest, rules):
    """The others are not touched by it."""
    first, second = one(rules.gate, "data.missing") + one(rules.gate, "data.duplicates")

    class Crashes(type(first.check)):
        def run_logic(self, context, dataset_kind):
            raise RuntimeError("no such column")

    findings = run(honest, [replace(first, check=Crashes()), second], rules.gate)

    assert [f.outcome for f in findings] == ["NOT_RUN", "PASS"]
    assert "RuntimeError: no such column" in findings[0].observed


def test_a_check_without_a_condition_did_not_run(honest, rules):
    """It looked, and compared with nothing."""
    (rule,) = one(rules.gate, "data.missing")
    bare = replace(rule, check=type(rule.check)())

    assert run(honest, [bare], rules.gate)[0].outcome == "NOT_RUN"


def test_a_condition_that_crashes_did_not_run(honest, rules):
    """Deepchecks calls that an error of the condition, and goes on."""
    (rule,) = one(rules.gate, "data.missing")

    def crashes(_):
        raise RuntimeError("condition")

    check = type(rule.check)().add_condition("crashes", crashes)
    assert run(honest, [replace(rule, check=check)], rules.gate)[0].outcome == "NOT_RUN"


def test_a_suite_that_crashes_is_a_finding_on_every_rule(honest, rules):
    """Data that Deepchecks cannot even take."""
    hopeless = replace(honest, train=honest.train.iloc[:0], train_scores=honest.train_scores[:0])
    findings = run(hopeless, chosen(rules.gate, "binary"), rules.gate)

    assert len(findings) == len(chosen(rules.gate, "binary"))
    assert "PASS" not in {f.outcome for f in findings if f.rule.startswith("model")}


def test_a_check_that_gives_no_result_did_not_run(rules):
    """Deepchecks leaves out a check that it thinks does not apply."""
    (rule,) = one(rules.gate, "data.missing")

    assert suite._finding(rule, []).outcome == "NOT_RUN"


def test_many_rows_are_sampled_the_same_each_time(honest, rules):
    """A verdict can be made again."""
    gate = replace(rules.gate, max_rows=200)
    chosen_ = one(gate, "drift.label")

    assert run(honest, chosen_, gate) == run(honest, chosen_, gate)


def test_nothing_is_sent_to_anybody(bundles, root, tmp_path):
    """A whole gate with every way outward barred: its telemetry is off before it is imported.

    It asks the server that it starts, on this machine; nobody else.
    """
    code = (
        "import sys, socket\n"
        "def inward(real):\n"
        "    def guarded(*a, **k):\n"
        "        here = [x for x in a if '127.0.0.1' in (x if isinstance(x, tuple) else (x,))]\n"
        "        assert here, f'a socket was opened outward: {a}'\n"
        "        return real(*a, **k)\n"
        "    return guarded\n"
        "socket.socket.connect = inward(socket.socket.connect)\n"
        "socket.socket.connect_ex = inward(socket.socket.connect_ex)\n"
        "socket.getaddrinfo = inward(socket.getaddrinfo)\n"
        "socket.create_connection = inward(socket.create_connection)\n"
        "from checks.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "gate", "--candidate", str(bundles[0]), "--out", str(tmp_path)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "PROMOTE" in done.stdout
    assert done.stderr == ""


def test_of_many_features_the_power_is_measured_on_fewer_rows_and_that_is_said(rules, evidence):
    """Deepchecks takes as long as for a hundred."""
    few, many = (
        next(rule for rule in chosen(rules.gate, "binary", n) if rule.name == "data.label_correlation")
        for n in (100, 320)
    )

    assert few.check.ppscore_params == {"sample": 5_000}
    assert many.check.ppscore_params == {"sample": 1_562}
    assert "on 1,562 rows of each part, with 320 features" in run(evidence, [many], rules.gate)[0].observed
    assert "rows of each part" not in run(evidence, [few], rules.gate)[0].observed


def test_drawing_only_what_is_shown_changes_no_drift_score(evidence):
    """With the scores that Deepchecks itself gives, and its figures."""
    parts = [suite._dataset(rows, None, evidence) for rows in (evidence.train, evidence.holdout)]
    theirs = suite.checks.FeatureDrift(n_top_columns=2).run(*parts)
    ours = suite.TopFeatureDrift(n_top_columns=2).run(*parts)

    assert ours.value == theirs.value
    assert len(ours.display) == len(theirs.display)

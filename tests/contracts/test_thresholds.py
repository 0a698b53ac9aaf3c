"""thresholds.toml: the one place of every limit; all its mistakes are said at once."""

import re
import tomllib

import pytest

from contracts.thresholds import ConfigurationError, read_rules


@pytest.fixture
def original(root):
    return (root / "checks/thresholds.toml").read_text()


def mistakes(tmp_path, text):
    """The mistakes that are said about *text*."""
    path = tmp_path / "thresholds.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_rules(path)
    return str(caught.value)


def test_the_rules_of_the_repository_hold_together(root):
    """Every limit is there, none too many."""
    rules = read_rules(root / "checks/thresholds.toml")

    assert rules.land.policy == "always"
    assert rules.gate.compare.margins("binary").primary == "log_loss"
    assert rules.gate.data.severity == "block"
    assert rules.gate.drift.severity == "warn"


def test_every_mistake_is_said_at_once_with_what_was_meant(tmp_path, original):
    """One look at the message is enough to put the file right."""
    text = (
        original.replace("min_fresh_rows", "min_fresh_row")
        .replace('policy = "always" ', 'policy = "allways"')
        .replace("roc_auc = 0.010", "roc_acu = 0.010")
        .replace("draws = 2000", "draws = 2000.5")
        .replace("parity = 1e-5", 'parity = "small"')
        .replace("max_missing = 0.5", "max_missing = 50")
        .replace('"score_drift"', '"score_drfit"')
        .replace("[gate.drift]", "[gate.drifft]")
    )
    found = mistakes(tmp_path, text)

    for words in (
        "gate: min_fresh_row is not known; did you mean min_fresh_rows?",
        "gate.min_fresh_rows is missing",
        "land.policy is 'allways'; expected one of 'always', 'boring' or 'never'; did you mean always?",
        "gate.compare.binary: roc_acu is not known; did you mean roc_auc?",
        "gate.compare.draws is 2000.5; expected a whole number",
        "export.parity is 'small'; expected a number",
        "gate.data.max_missing is 50; expected a share, from 0 to 1",
        "monitoring.issue: score_drfit is not known; did you mean score_drift?",
        "gate: drifft is not known; did you mean drift?",
        "gate.drift is missing",
    ):
        assert words in found, found
    assert len(found.splitlines()) == 11


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("confidence = 0.95", "confidence = 1", "gate.compare.confidence is 1; expected less than 1"),
        ("draws = 2000", "draws = 10", "gate.compare.draws is 10; expected 100 or more"),
        ("max_rows = 20_000", "max_rows = 100", "gate: max_rows is 100; expected at least min_fresh_rows (500)"),
        ("lasting = 2", "lasting = 6", "expected lasting from 1 to of"),
        ("window_days = 35", "window_days = 2", "monitoring: window_days is 2; expected at least of and quiet"),
        ("quiet = 3", "quiet = 0", "monitoring.quiet is 0; expected 1 or more"),
        ("ewma_weight = 0.2", "ewma_weight = 0", "expected more than 0"),
        ("draws = 400", "draws = 99", "monitoring.draws is 99; expected 100 or more"),
        (
            'digest = ["univariate_drift"]',
            'digest = ["score_drift"]',
            "in more than one of page, issue and digest: score_drift",
        ),
        ("ewma_weight = 0.2", "ewma_weight = -1", "expected more than 0"),
        ("ewma_weight = 0.2", "ewma_weight = true", "expected a number"),
        (
            "ewma_weight = 0.2",
            f"ewma_weight = 0x1{'0' * 5000}",
            "ewma_weight is a number of thousands of digits; expected",
        ),
        ('engine = "duckdb"', f'engine = "{"duck" * 100}"', "engine is 'duckduck"),
        ("ewma_weight = 0.2", "ewma_weight = nan", "monitoring.ewma_weight is nan; expected"),
        ('primary = "mae"', 'primary = "r2"', "primary is 'r2'; expected metrics with a margin there: mae, rmse"),
        ("[export]", "export = 3\n[exports]", "expected a table [export]"),
        ("min_days = 3", "min_days = 1", "expected 2 or more"),
        (
            "anchor = { log_loss = 0.005, roc_auc = 0.010 }",
            "anchor = { log_los = 0.005 }",
            "gate.compare.binary: anchor is {'log_los': 0.005}; expected metrics with a margin there: log_loss, roc_auc",
        ),
        ("anchor = { log_loss = 0.005, roc_auc = 0.010 }", "", "gate.compare.binary.anchor is missing"),
        (
            "anchor = { mae = 0.02, rmse = 0.02 }",
            "anchor = { mae = true }",
            "gate.compare.regression.anchor.mae is True; expected a number",
        ),
        ("superior = []", 'superior = ["brier"]', "superior is ['brier']; expected metrics with a margin there"),
        ("superior = []", "", "gate.compare.binary.superior is None; expected a list"),
        (
            "require = []",
            'require = ["some of roc_auc"]',
            "gate.compare.binary.require: 'some of roc_auc'; expected for example",
        ),
        ("require = []", 'require = "any of roc_auc"', "require is 'any of roc_auc'; expected a list"),
        (
            "require = []",
            'require = ["any of log_loss, roc_auc"]',
            "require contains the primary metric log_loss, which must hold alone",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path, original, old, new, words):
    """Before anything is judged by it."""
    assert old in original
    assert words in mistakes(tmp_path, original.replace(old, new, 1))


def test_a_combination_is_read(tmp_path, original):
    """Next to the primary, which holds alone."""
    path = tmp_path / "thresholds.toml"
    text = original.replace("roc_auc = 0.010\n", "roc_auc = 0.010\nbrier = 0.003\n", 1)
    path.write_text(text.replace("require = []", 'require = ["any of roc_auc, brier"]', 1))
    margins = read_rules(path).gate.compare.binary

    assert [each.name for each in margins.combinations()] == ["any_of.roc_auc.brier"]
    assert [margins.is_free(name) for name in margins.metrics] == [False, True, True]


def test_every_single_limit_is_needed(tmp_path, original):
    """None has a default that is not seen, but for severities, and for a limit that older files do not have."""
    lines = [n for n, line in enumerate(original.splitlines()) if re.match(r"[a-z_]+ = [\d]", line)]
    assert len(lines) > 25
    for number in lines:
        kept = original.splitlines()
        gone = kept.pop(number).split(" = ")[0]
        if gone in ("log_loss", "roc_auc", "brier", "accuracy", "mae", "rmse", "mse", "max_risk", "max_added", "bias"):
            continue
        assert f"{gone} is missing" in mistakes(tmp_path, "\n".join(kept))


@pytest.mark.parametrize("text", ["[gate", "\x00", "gate = "])
def test_what_is_no_toml_is_said(tmp_path, text):
    """With where."""
    assert "is not TOML" in mistakes(tmp_path, text)


def test_a_file_that_is_gone_is_said(tmp_path):
    """Not a traceback."""
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_rules(tmp_path / "gone.toml")


def test_each_limit_says_what_it_means(original):
    """On its own line, or on the one above its group."""
    bare = [
        line
        for line in original.splitlines()
        if re.match(r"(max|min)_", line)
        and "#" not in line
        and "label_drift" not in line
        and "prediction_drift" not in line
    ]

    assert bare == []
    assert tomllib.loads(original)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('policy = "propose"', 'policy = "ask"', "experiment.policy is 'ask'; expected one of 'always'"),
        ("alpha = 0.05", "alpha = 1.5", "experiment.alpha is 1.5; expected less than 1"),
        ("min_weeks = 2", "min_weeks = 0", "experiment.min_weeks is 0; expected 1 or more"),
        (
            "mse = 0.04",
            "rmse = 0.04",
            "experiment.regression: rmse is not known; did you mean mse? Expected one of mae, mse, outcome",
        ),
        ('automatic = "off"', "automatic = false", "rollback.automatic is False; expected one of 'on' or 'off'"),
    ],
)
def test_an_experiment_that_cannot_be_judged_is_said(tmp_path, original, before, after, words):
    """Before anybody waits two weeks for it."""
    assert before in original
    assert words in mistakes(tmp_path, original.replace(before, after))

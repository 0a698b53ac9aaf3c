"""The signal of training-serving skew, from the newest training's comparison with the journal."""

import json
from dataclasses import replace

import pytest

from contracts.thresholds import read_rules
from forge.local.folder_forge import LocalForge
from monitoring.incidents.alert_rules import assess
from monitoring.incidents.forge_actions import newest_comparison
from monitoring.incidents.issue_text import CauseFacts, first_step
from monitoring.metrics.sent_values import serving_skew

UNTIL = "2026-02-20"


@pytest.fixture(scope="module")
def limits(root):
    return read_rules(root / "checks/thresholds.toml").monitoring


def comparison(*worst, **more):
    """Of the days up to the 19th; the last is of the share *worst[-1]*."""
    days = [{"day": f"2026-02-{20 - len(worst) + n:02}", "rows": 300, "worst": each} for n, each in enumerate(worst)]
    examples = [{"key": "v1", "time": "2026-02-19T09:00:00Z", "sent": 12.5, "loaded": 13.5}]
    features = {
        "age": {"rows": 900, "of": 900, "cause": "factor", "examples": examples},
        "pages": {"rows": 1, "of": 900, "cause": "other", "examples": examples},
    }
    return {"days": days, "rows": 900, "features": features} | more


@pytest.mark.parametrize(
    ("worst", "state"),
    [((0.0, 0.0, 0.0), "quiet"), ((0.0, 0.0, 1.0), "undecided"), ((0.0, 1.0, 1.0), "raised"), ((0.02,) * 3, "quiet")],
)
def test_two_days_of_skew_raise_an_issue(limits, worst, state):
    """A fixed limit: clean rows do not differ."""
    skew = serving_skew(comparison(*worst), limits, UNTIL)

    assert assess([*skew.signals], [], limits).state == state
    assert {each.severity for each in skew.signals} == {"issue"}
    assert skew.unknown == ()


def test_the_features_are_named_with_examples(limits):
    """While the newest day differs."""
    found = comparison(0.0, 1.0)
    assert serving_skew(found, limits, UNTIL).lines == (
        "training-serving skew: age differs in 100.0% of 900 rows (sent 12.5, loaded 13.5)",
    )
    assert serving_skew(comparison(1.0, 0.0), limits, UNTIL).lines == ()
    assert "+2 hours" in serving_skew(found | {"hours": 2.0}, limits, UNTIL).lines[0]


@pytest.mark.parametrize(
    ("found", "why", "yet"),
    [
        (None, "without a journal", True),
        ({"failed": "there is no journal"}, "there is no journal", False),
        ({"unjoined": "the key is private"}, "the key is private", True),
        (comparison(), "no day up to 2026-02-20", True),
    ],
)
def test_what_was_not_compared_is_unknown(limits, found, why, yet):
    """Neither an alarm nor a pass."""
    skew = serving_skew(found, limits, UNTIL)

    assert skew.signals == ()
    assert [each.yet for each in skew.unknown] == [yet]
    assert why in skew.unknown[0].why


def test_an_old_comparison_is_no_signal_of_today(limits):
    """Nor is one of a few rows."""
    assert serving_skew(comparison(1.0, 1.0), limits, "2026-03-20").signals == ()
    few = comparison(1.0, 1.0)
    assert serving_skew(few | {"days": [each | {"rows": 20} for each in few["days"]]}, limits, UNTIL).signals == ()


def test_the_signal_can_be_left_out(limits):
    """As any other."""
    others = tuple(name for name in limits.issue if name != "serving_skew")

    assert serving_skew(comparison(1.0, 1.0), replace(limits, issue=others), UNTIL).signals == ()


def test_the_first_step_is_about_load_and_clients():
    """It is no drift."""
    step = first_step(CauseFacts(("serving_skew",), "2026-02-18"), "issue")

    assert step.startswith("compare `load` with what clients send")


def test_the_newest_candidates_comparison_counts(root, tmp_path):
    """Otherwise the live version's."""
    forge = LocalForge(tmp_path)
    assert newest_comparison(forge, {"sent": {"rows": 3}}) == {"rows": 3}
    assert newest_comparison(forge, {}) is None

    bundle = min((root / "tests/bundles/format-1/binary").iterdir())
    forge.upload(bundle.name, bundle, None)
    assert newest_comparison(forge, {"sent": {"rows": 3}}) is None
    (stored,) = tmp_path.rglob(f"{bundle.name}/**/manifest.json")
    stored.chmod(0o644)
    stored.write_text(json.dumps(json.loads(stored.read_text()) | {"sent": {"rows": 9}}))
    assert newest_comparison(forge, {}) == {"rows": 9}

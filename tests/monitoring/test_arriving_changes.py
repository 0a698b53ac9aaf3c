"""The rows that came in against the fingerprint of the training rows."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from contracts.row_contract import Contract, Feature, Target
from contracts.thresholds import read_rules
from model.source_profile.fingerprint import source_of
from monitoring.incidents.alert_rules import Assessment
from monitoring.incidents.incident_state import IncidentState
from monitoring.metrics.arriving_changes import upstream_changes
from monitoring.observations import Observations

CONTRACT = Contract(
    "shop",
    "binary",
    (Feature("price", "number"), Feature("channel", "category")),
    Target("bought", (False, True)),
    key="who",
    time="at",
)
TRAINED = datetime(2026, 2, 21, tzinfo=UTC)
NOW = datetime(2026, 3, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def limits(root):
    return read_rules(root / "checks/thresholds.toml")


def rows(start, end, many=10):
    at = pd.date_range(start, end, freq="6min", tz="UTC", inclusive="left")[:: 240 // many // 24]
    random = np.random.default_rng(2)
    price, channel = random.lognormal(2, 0.3, len(at)), random.choice(["web", "shop"], len(at))
    return pd.DataFrame({"who": "v", "at": at, "price": price, "channel": channel})


@pytest.fixture(scope="module")
def manifest():
    trained = rows("2026-02-01", "2026-02-21")
    return {"data": {"source": source_of(trained, CONTRACT, TRAINED)}}


def changes_of(came, manifest, limits, until=NOW):
    return [str(change) for change in upstream_changes(came, CONTRACT, manifest, limits, until)]


def test_rows_like_those_of_training_say_nothing(manifest, limits):
    """Nor do fewer of them: an arm sees its share."""
    assert changes_of(rows("2026-02-21", "2026-03-03"), manifest, limits) == []
    assert changes_of(rows("2026-02-21", "2026-03-03").iloc[::3], manifest, limits) == []
    assert changes_of(rows("2026-02-21", "2026-02-21"), manifest, limits) == []


def test_a_unit_a_rename_and_a_stop_are_named(manifest, limits):
    """With their day."""
    came = rows("2026-02-21", "2026-03-02 14:00")
    late = came["at"] >= "2026-02-27"
    came["price"] = came["price"].where(~late, came["price"] * 100)
    came["channel"] = came["channel"].where(~late, came["channel"].replace("web", "www"))
    found = changes_of(came, manifest, limits)

    assert "`price` is about 100 times larger: cents, or per cent? (since 2026-02-27)" in found
    assert any("`channel` renamed? 'web' is gone, 'www' with" in each for each in found)
    assert any("no rows from the source after 13:" in each for each in found)
    assert not any("stop" in each for each in changes_of(came, manifest, limits, until=None))


def test_a_bundle_without_a_fingerprint_is_no_trouble(limits):
    """Made before they had one."""
    assert changes_of(rows("2026-02-21", "2026-03-03"), {}, limits) == []


def test_the_incident_names_it():
    """As the first likely cause, and harmless."""
    change = "`price` is about 100 times larger: <b>cents?</b>"
    seen = Observations(
        CONTRACT, "v", "2026-03-03T06:00Z", [], [], Assessment("undecided", (), "no"), 1, 1, 1.0, upstream=[change]
    )
    _, words = seen.issue_text(seen.findings(), IncidentState(), "inactive", "")

    assert "**Likely causes**\n\n- Changed upstream: price is about 100 times larger: &lt;b&gt;cents?" in words
    assert f"likely changed upstream: {change}" in list(seen.summary(with_state=True))

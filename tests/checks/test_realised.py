"""What releases realised after their verdicts: recorded by day, compared with what was expected, and used as staleness."""

from types import SimpleNamespace

import numpy as np
import pytest

from bundles.bundle import Bundle
from checks.comparison.compare import Compared
from checks.decision.expected_gain import Ages
from checks.decision.outlook import Outlook
from checks.decision.realised_days import day_losses, realised_lines
from checks.decision.realised_ledger import DAYS, TrackRecord, realised_gains, recorded_days, track_record
from checks.gate_inputs import GateInputs, from_forge
from contracts.live_config import LIVE, Live, parse_live, with_champion
from forge.local.folder_forge import LocalForge
from reporting.hidden_lines import hidden_line
from tests.checks.test_expected_gain import gap


def line(release, before, days, expected=None, metric="log_loss", older=7.0):
    """What a night records: *days* have the day, rows and both losses; *expected* the candidate and its expected gain."""
    fields = {"contract": "shop", "metric": metric, "release": release, "before": before, "older": older, "days": days}
    if expected:
        fields["expected"] = {"version": f"v-{expected[0]}", "release": expected[0], "value": expected[1]}
    return hidden_line("realised", fields)


def week(first, gain, rows=100, loss=0.4):
    return [(f"2026-01-{first + day:02}", rows, loss, loss + gain + 0.001 * (-1) ** day) for day in range(6)]


#: Three releases after a first one: expected +0.01, +0.02 and +0.03, realised +0.010, +0.012 and +0.020.
THREE = [
    line("a", "", [], ("b", 0.01)),
    line("b", "a", week(1, 0.010), ("c", 0.02)),
    line("c", "b", week(8, 0.012), ("d", 0.03)),
    line("d", "c", week(15, 0.020), ("held", 0.5)),
]


def test_expected_gains_are_compared_with_those_that_followed():
    """A candidate that did not become champion has no days after it, and is not among them."""
    found = track_record(THREE)

    assert [(each.version, each.expected, each.days) for each in found.releases] == [
        ("v-b", 0.01, 6),
        ("v-c", 0.02, 6),
        ("v-d", 0.03, 6),
    ]
    assert [each.realised for each in found.releases] == pytest.approx([0.010, 0.012, 0.020])
    assert found.correlation == pytest.approx(np.corrcoef([1, 2, 3], [10, 12, 20])[0, 1])
    assert found.sentence() == (
        "Three releases so far, in log_loss: verdicts expected +0.0200 on average, and the days after realised +0.0140 beside"
        " the release before, correlation 0.94."
    )


@pytest.mark.parametrize(
    ("notes", "releases", "correlation"),
    [
        ([], 0, None),
        (THREE[:1], 0, None),  # no days yet
        (THREE[:3], 2, None),  # two releases have no correlation
        (
            [*THREE, "<!-- realised {} -->", '<!-- realised {"contract": 1, "days": 2} -->', "<!-- realised x -->"],
            3,
            0.94,
        ),
    ],
)
def test_what_is_not_recorded_is_not_counted(notes, releases, correlation):
    """Nor are lines that a person edited."""
    found = track_record(notes)

    assert len(found.releases) == releases
    assert found.correlation == (None if correlation is None else pytest.approx(correlation, abs=0.01))
    assert bool(found.sentence()) == (releases > 0)


def test_gains_that_do_not_vary_have_no_correlation():
    """Division by zero is a warning, and warnings are errors."""
    same = [line("a", "", [], ("b", 0.01)), line("b", "a", week(1, 0.01), ("c", 0.01))]
    same += [line("c", "b", week(8, 0.01), ("d", 0.01)), line("d", "c", week(15, 0.02))]

    assert track_record(same).correlation is None
    assert TrackRecord().correlation is None


def test_a_day_counts_once_with_the_most_rows():
    """Holdouts of two nights share days, and late outcomes add rows."""
    early, late = ([("2026-01-01", rows, loss, 0.5)] for rows, loss in ((10, 0.9), (40, 0.4)))

    for notes in ([early, late], [late, early], [late, early, late]):
        (found,) = recorded_days([line("b", "a", each) for each in notes])
        assert (found.rows, found.loss) == (40, 0.4)


@pytest.mark.parametrize(("metric", "value"), [("log_loss", 0.010), ("mae", 0.010 / 0.41), ("roc_auc", 0.010)])
def test_realised_gains_are_in_the_unit_of_the_comparison(metric, value):
    """A share of the earlier release's error for errors of a regression."""
    found = track_record([line("a", "", [], ("b", 0.01), metric), line("b", "a", week(1, 0.010), metric=metric)])

    assert found.releases[0].realised == pytest.approx(value)


def test_the_streams_own_releases_show_what_age_costs():
    """Days after a release count as staleness; one with too few days has no error, and does not."""
    gains = realised_gains([*THREE, line("e", "d", week(22, 0.5)[: DAYS - 1])], "shop")

    assert [each.candidate for each in gains] == ["b", "c", "d"]
    assert realised_gains(THREE, "another contract") == []
    none, some = (Outlook(realised=each).expected(gap(0.0, 0.02), 0.005, Ages(7, 7)) for each in ((), tuple(gains)))
    assert some.fresher > 2 * none.fresher
    assert some.source == "the days after three releases"


@pytest.fixture(scope="module")
def models(bundles):
    return [Bundle.load(each, evidence=True) for each in bundles]


def test_losses_by_day_add_up_to_the_comparison(models, evidence):
    """On rows that neither model was trained on: those that are compared."""
    older, newer = models
    found = day_losses(evidence, newer, older, "log_loss")
    rows, ours, theirs = (np.array(each) for each in list(zip(*found, strict=True))[1:])

    truth = evidence.truth[evidence.fresh]
    for losses, scores in ((ours, evidence.holdout_scores), (theirs, evidence.champion)):
        p = np.where(truth == 1, scores[evidence.fresh], 1 - scores[evidence.fresh])
        assert np.average(losses, weights=rows) == pytest.approx(float(-np.log(p).mean()), rel=1e-5)
    assert rows.sum() == evidence.fresh.sum()


def test_a_night_records_what_it_expects_and_what_followed_the_last_release(models, evidence):
    """The next night reads both."""
    older, newer = models
    row = Compared("log_loss", 0.4, 0.5, champion=0.41, difference=0.01)
    as_candidate = realised_lines(GateInputs(newer, older), evidence, row)
    later = SimpleNamespace(contract=newer.contract, version="next", digest="sha256:next")
    as_champion = realised_lines(GateInputs(later, newer, notes=(as_candidate,), previous=older), evidence, row)

    (found,) = track_record([as_candidate, as_champion], newer.contract.name).releases
    assert (found.version, found.expected) == (newer.version, 0.01)
    assert found.days == len(set(evidence.days[evidence.fresh]))
    assert as_champion.startswith("\nOne release so far, in log_loss: verdicts expected +0.0100")
    assert realised_lines(GateInputs(newer), evidence, row) == ""
    assert realised_lines(GateInputs(newer, newer), evidence, row) == ""


def test_the_release_before_the_champion_is_read_from_the_history(tmp_path, bundles, models):
    """Without one, or where it is gone, nothing is missing for the verdict."""
    forge = LocalForge(tmp_path / "forge")
    for folder, model in zip(bundles, models, strict=True):
        forge.upload(model.version, folder)
        live = with_champion(parse_live(forge.read(LIVE) or Live().to_toml()), model.version, model.digest)
        forge.propose("move", "move", "", {LIVE: live.to_toml()})
        forge.status("move", True, "good")
        found = from_forge(forge, tmp_path / f"before-{model.version}", candidate=bundles[1])
        assert found.previous is None
        forge.merge("move", "move")

    found = from_forge(forge, tmp_path / "work", candidate=bundles[1])
    assert (found.champion.digest, found.previous.digest) == (models[1].digest, models[0].digest)

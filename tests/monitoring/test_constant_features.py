"""The whole watch of a model whose features were constant: quiet while they are, an alarm when they change."""

from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest

from bundles.bundle import Bundle
from contracts.live_config import LIVE, Live, with_champion
from forge.local.folder_forge import LocalForge
from model.onnx_export.bundle_manifest import Build
from model.onnx_export.export import export
from model.train import read_recipe, train
from monitoring.__main__ import OK, main
from tests.monitoring.conftest import TODAY, answered, measure_once, write

pytestmark = pytest.mark.slow

PAGES = 1.463


@pytest.fixture(scope="module")
def buys(recipes, tmp_path_factory):
    """The small recipe where all visitors are from Austria and see the same number of pages."""
    place = tmp_path_factory.mktemp("constant")
    visits = (recipes / "visits.py").read_text()
    for varied, constant in (('"country": country,', '"country": "AT",'), ('"pages": pages,', f'"pages": {PAGES},')):
        assert varied in visits
        visits = visits.replace(varied, constant)
    (place / "visits.py").write_text(visits)
    path = place / "buys.py"
    text = (recipes / "buys.py").read_text()
    # Another name for the module: the other tests have imported the first.
    path.write_text(text.replace("from visits import", "from constant_visits import"))
    (place / "visits.py").rename(place / "constant_visits.py")
    recipe = read_recipe(path)
    build = Build(datetime(2026, 2, 20, 3, 17, tzinfo=UTC), "c0ffee", path)
    folder = export(train(recipe, TODAY), build, place / "out", 1e-5)
    bundle = Bundle.load(folder)
    return SimpleNamespace(recipe=recipe, folder=folder, bundle=bundle, contract=bundle.contract)


@pytest.fixture
def forge(tmp_path, buys):
    forge = LocalForge(tmp_path / "forge")
    forge.upload(buys.bundle.version, buys.folder)
    live = with_champion(Live(), buys.bundle.version, buys.bundle.digest).to_toml()
    forge.propose("retrain", "first", "", {LIVE: live})
    forge.status("retrain", True, "good")
    forge.merge("retrain", "first")
    return forge


@pytest.fixture
def watched(forge, buys, journal, root, tmp_path):
    """Watches from 20 February to 2 March: two days as ever, then days with some columns *changed*."""

    def watched(changed, as_issue="score_drift"):
        def change(rows):
            late = rows["at"] >= datetime(2026, 2, 22, tzinfo=UTC)
            return rows.assign(**{name: rows[name].mask(late, to) for name, to in changed.items()})

        path = tmp_path / "rules.toml"
        text = (root / "checks/thresholds.toml").read_text()
        if as_issue == "univariate_drift":  # it takes the place of the score's drift
            for severity, kind, other in (
                ("issue", "score_drift", "univariate_drift"),
                ("digest", "univariate_drift", "score_drift"),
            ):
                assert f'{severity} = ["{kind}"' in text
                text = text.replace(f'{severity} = ["{kind}"', f'{severity} = ["{other}"')
        path.write_text(text)
        write(journal, *answered(buys, date(2026, 2, 20), 10, change=change))
        words = ["watch", "--forge", forge.root, "--journal", journal, "--out", tmp_path / "runs"]
        now = datetime(2026, 3, 2, 6, tzinfo=UTC)
        assert main([*map(str, words), "--rules", str(path)], lambda: now, measure_once) == OK
        return {alert.marker: alert for alert in forge.alerts()}

    return watched


@pytest.mark.parametrize("as_issue", ["score_drift", "univariate_drift"])
def test_a_constant_feature_raises_no_alarm(watched, as_issue, capsys):
    """Neither a digest, nor an issue of the watch itself."""
    assert watched({}, as_issue) == {}
    assert "quiet: within limits for the last 3 days" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "as_issue", "marker", "words"),
    [
        (
            {"country": "CH"},
            "score_drift",
            "watch:buys:page/unseen_categories/web",
            "country: 1.000 on 2026-03-01; usual 0.000, limit 0.0",
        ),
        (
            {"pages": PAGES + 1},
            "score_drift",
            "digest:buys",
            "| pages | univariate drift mean | unknown | 7 of 7 | 1.000 | 0.000 |",
        ),
        (
            {"pages": PAGES - 1},
            "univariate_drift",
            "watch:buys:issue/univariate_drift/web",
            "mean pages: -1.000 on 2026-03-01; usual 0.000, limit -0.1",
        ),
    ],
)
def test_a_change_of_a_constant_feature_opens_an_alarm(watched, changed, as_issue, marker, words):
    """How much the score depends on it is not known, so it is not taken for nothing."""
    alerts = watched(changed, as_issue)

    assert words in alerts[marker].body
    assert not any(each.startswith("monitor:") for each in alerts)

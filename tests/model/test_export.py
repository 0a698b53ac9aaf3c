"""A bundle holds the model that was measured, byte for byte the same each time, or is refused."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from model.export import Build, export, to_graph
from model.parity import ParityError, replay, runner, thresholds_of
from model.train import read_recipe, train
from serve.bundle import Bundle

TODAY = date(2026, 2, 20)
NOON = datetime(2026, 2, 20, 12, tzinfo=UTC)
TASKS = {"buys": "binary", "tariff": "multiclass", "basket": "regression"}


@pytest.fixture(scope="module", params=TASKS)
def fitted(request, recipes):
    return train(read_recipe(recipes / f"{request.param}.py"), TODAY)


@pytest.fixture
def build(recipes):
    return Build(NOON, "c0ffee", recipes / "buys.py")


def test_a_bundle_is_what_the_scorer_loads(fitted, build, tmp_path):
    """Its digests, its golden rows and its evidence all hold."""
    bundle = Bundle.load(export(fitted, build, tmp_path, 1e-5), evidence=True)

    assert bundle.contract == fitted.contract
    assert bundle.version.startswith("20260220T1200-")
    assert set(bundle.manifest) - {"stability"} == {
        "format", "version", "digest", "task", "contract", "classes", "files", "golden", "data",
        "metrics", "parity", "core", "recipe", "build",
    }  # fmt: skip


def test_training_twice_gives_the_same_digest_at_another_time_too(fitted, build, recipes, tmp_path):
    """The digest covers the content, not when or by whom it was made."""
    again = train(read_recipe(recipes / f"{fitted.contract.name}.py"), TODAY)
    later = replace(build, made_at=datetime(2026, 3, 1, tzinfo=UTC), commit="other")
    one, other = export(fitted, build, tmp_path, 1e-5), export(again, later, tmp_path, 1e-5)

    assert one.name[14:] == other.name[14:] == Bundle.load(one).digest[7:19]
    assert one.name != other.name
    for file in sorted(path.relative_to(one) for path in one.rglob("*.*")):
        if file.name != "manifest.json":
            assert (one / file).read_bytes() == (other / file).read_bytes(), file


@pytest.mark.parametrize("name", TASKS)
def test_another_process_gives_the_same_digest_too(name, root, recipes, tmp_path):
    """Sets have another order in each, and libraries love sets."""
    for seed in ("1", "2", "4"):
        command = [sys.executable, "-m", "model", "train", "--today", str(TODAY)]
        subprocess.run(
            [*command, "--recipe", str(recipes / f"{name}.py"), "--out", str(tmp_path / seed)],
            cwd=root, env=os.environ | {"PYTHONHASHSEED": seed}, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    assert len({path.name[14:] for path in tmp_path.glob("*/*")}) == 1


def test_the_evidence_carries_the_graphs_own_scores(fitted, build, tmp_path):
    """What the gate reads is what the scorer would answer."""
    folder = export(fitted, build, tmp_path, 1e-5)
    bundle = Bundle.load(folder)
    rows = pd.read_parquet(folder / "evidence/holdout.parquet")
    names = list(bundle.contract.feature_names)
    given = rows[names].astype(object).where(rows[names].notna(), None).to_dict("records")
    scores = rows.filter(regex="^score").to_numpy().reshape(len(rows), -1)

    assert np.array_equal(bundle.score(given).reshape(len(rows), -1), scores)


def test_parity_is_tried_beside_every_threshold_of_the_trees(fitted):
    """Where a row could go the other way."""
    graph = to_graph(fitted)
    thresholds = thresholds_of(graph)
    found = replay(fitted, runner(graph, fitted.contract), thresholds, 1e-5)

    assert (len(thresholds) > 0) == (fitted.contract.name != "buys")  # a linear model has none
    assert found["rows"] > len(fitted.split.holdout) or fitted.contract.name == "buys"


def test_a_graph_that_disagrees_is_refused_with_its_worst_row(fitted):
    """The message shows the row, both scores and the limit."""
    honest = runner(to_graph(fitted), fitted.contract)

    def off_by_a_bit(columns):
        scores = honest(columns)
        scores[3] += 0.01 * np.maximum(1, np.abs(scores[3]))
        return scores

    with pytest.raises(ParityError) as caught:
        replay(fitted, off_by_a_bit, np.array([]), 1e-5)

    assert "1 of" in str(caught.value)
    assert "allowed is 1e-05 (thresholds.toml, export.parity)" in str(caught.value)


def test_a_score_that_is_not_a_number_is_never_within_the_limit(fitted):
    """NaN compares false with everything; it must not pass for that."""
    honest = runner(to_graph(fitted), fitted.contract)

    with pytest.raises(ParityError):
        replay(fitted, lambda columns: honest(columns) * np.nan, np.array([]), 1e-5)


def test_an_export_that_fails_leaves_nothing_that_looks_like_a_bundle(fitted, build, tmp_path):
    """The folder gets its name when it is whole."""
    with pytest.raises(FileNotFoundError):
        export(fitted, replace(build, recipe=tmp_path / "gone.py"), tmp_path / "out", 1e-5)

    assert list((tmp_path / "out").iterdir()) == []


def test_exporting_the_same_bundle_again_finds_it_there(fitted, build, tmp_path):
    """Two runs in one minute are both right."""
    assert export(fitted, build, tmp_path, 1e-5) == export(fitted, build, tmp_path, 1e-5)
    assert [path.name[0] for path in tmp_path.iterdir()] == ["2"]


def test_the_last_golden_row_has_unseen_categories_and_missing_values(fitted, build, tmp_path):
    """The rows that break a graph first are replayed before every swap."""
    golden = json.loads((export(fitted, build, tmp_path, 1e-5) / "manifest.json").read_text())[
        "golden"
    ]

    assert golden["rows"][-1]["country"] == "never seen"
    assert golden["rows"][-1]["age"] is None
    assert len(golden["rows"]) == len(golden["scores"])

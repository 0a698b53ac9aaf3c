"""Bundles of the three small recipes, and journals of what they would have answered."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
from pandas.util import hash_pandas_object

from bundles.bundle import Bundle
from contracts.thresholds import read_rules
from model.loaded_columns import plain
from model.onnx_export.bundle_manifest import Build
from model.onnx_export.export import export
from model.train import read_recipe, train
from monitoring.journal.day_cache import Reading
from monitoring.measure import measure_days
from monitoring.reference_period import read_reference

#: The last day that the bundles know; Swiss visitors arrive from 2 March on.
TODAY = date(2026, 2, 20)
MEASURED = {}
TASKS = {"binary": "buys", "multiclass": "tariff", "regression": "basket"}


@pytest.fixture(scope="session")
def rules(root):
    # Fewer draws than the file says: quicker, and near enough.
    return replace(read_rules(root / "checks/thresholds.toml").monitoring, draws=100)


@pytest.fixture(scope="session")
def made(recipes, tmp_path_factory):
    """task -> the recipe with its bundle, made once."""
    known = {}

    def make(task):
        if task not in known:
            path = recipes / f"{TASKS[task]}.py"
            recipe = read_recipe(path)
            build = Build(datetime(2026, 2, 20, 3, 17, tzinfo=UTC), "c0ffee", path)
            folder = export(train(recipe, TODAY), build, tmp_path_factory.mktemp(task), 1e-5)
            bundle = Bundle.load(folder)
            known[task] = SimpleNamespace(
                recipe=recipe,
                folder=folder,
                bundle=bundle,
                contract=bundle.contract,
                reference=read_reference(folder, bundle.contract),
                seen=bundle.manifest["data"]["categories"],
            )
        return known[task]

    return make


def measure_once(reference, rows, contract, seen, rules, late=None, only="", trends=None):
    """As `measure_days` of the same rows by the same reference did before: most tests share the reference."""
    frames = (
        (tuple(each), tuple(map(str, each.dtypes)), hash_pandas_object(each).to_numpy().tobytes())
        for each in (reference, rows)
    )
    key = (contract.name, str(seen), rules, late, only, repr(trends), *frames)
    if key not in MEASURED:
        MEASURED[key] = measure_days(reference, rows, contract, seen, rules, late, only, trends)
    return tuple(map(list, MEASURED[key]))


def answered(made, first, days, *, labelled=True, change=None):
    """Answers and outcomes for *days* days of visits from *first* on, as the journal has them."""
    start = datetime.combine(first, datetime.min.time(), UTC)
    rows = made.recipe.load(start, start + timedelta(days=days))
    if change:
        rows = change(rows)
    contract = made.contract
    columns = {name: plain(rows[name]) for name in contract.feature_names if name in rows}
    records = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    scores = made.bundle.score(records).tolist()
    kept = set(columns) - set(contract.private)
    answers = [
        {
            "id": f"{at:%m%d}-{number}",
            "at": at.isoformat(),
            "version": made.bundle.version,
            "arm": "champion",
            "key": "k",
            "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "row": {name: value for name, value in record.items() if name in kept},
            "score": score,
        }
        for number, (record, score, at) in enumerate(zip(records, scores, rows[contract.time], strict=True))
    ]
    truths = rows[contract.target.name].tolist()
    outcomes = [{"id": answer["id"], "outcome": truth} for answer, truth in zip(answers, truths, strict=True)]
    return answers, outcomes if labelled else []


def reading(made, sample=20_000, **more):
    """How the rows of *made* are read."""
    return Reading(made.contract, made.bundle.version, made.seen, sample, **more)


def write(folder, answers, outcomes=(), name="1"):
    """A journal's files."""
    folder.mkdir(exist_ok=True)
    for kind, lines in (("answers", answers), ("outcomes", outcomes)):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{kind}-{name}.jsonl").write_text(text)
    return folder


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "a journal"

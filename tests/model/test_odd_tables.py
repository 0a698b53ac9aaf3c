"""Tables as people have them: what init writes for them loads rows that fit its contract."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model.data import check
from model.declarations import declared
from model.new_recipe.questions import guessed
from model.new_recipe.recipe_draft import Asked, draft
from model.new_recipe.recipe_text import recipe_text
from model.new_recipe.source_table import read_table
from model.train import load_rows, read_recipe

N = 600
RANDOM = np.random.default_rng(3)
ROWS = pd.DataFrame(
    {
        "at": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(N) * 3, unit="h"),
        "user_id": RANDOM.integers(1, 90, N),
        "amount": RANDOM.gamma(2, 20, N).round(2),
        "town": RANDOM.choice(["Zürich", "Graz", "Köln"], N),
    }
)
ROWS["bought"] = (ROWS["amount"] + RANDOM.normal(0, 10, N) > 40).astype(int)
SECONDS = (ROWS["at"] - pd.Timestamp("1970-01-01")) // pd.Timedelta(seconds=1)
FEATURES = {"amount", "town"}


def csv(rows, **more):
    return lambda path: rows.to_csv(path, index=False, **more) or path


def parquet(rows):
    return lambda path: rows.to_parquet(path) or path


@pytest.mark.parametrize(
    ("name", "write", "asked", "features"),
    [
        ("commas.csv", csv(ROWS.assign(bought=ROWS["bought"].map({0: "nein", 1: "ja"})), sep=";", decimal=","), {}, FEATURES),
        ("latin.csv", csv(ROWS, encoding="latin-1"), {}, FEATURES),
        ("both.csv", csv(ROWS, encoding="latin-1", sep=";", decimal=","), {}, FEATURES),
        ("mark.csv", csv(ROWS, encoding="utf-8-sig"), {}, FEATURES),
        ("tabs.tsv", csv(ROWS, sep="\t"), {}, FEATURES),
        ("milliseconds.csv", csv(ROWS.assign(at=SECONDS * 1000)), {}, FEATURES),
        ("seconds.parquet", parquet(ROWS.assign(at=SECONDS)), {}, FEATURES),
        ("months.csv", csv(ROWS.assign(at=ROWS["at"].dt.strftime("%b %d, %Y %I:%M %p"))), {}, FEATURES),
        ("american.csv", csv(ROWS.assign(at=ROWS["at"].dt.strftime("%m/%d/%Y %H:%M"))), {}, FEATURES),
        ("german.csv", csv(ROWS.assign(at=ROWS["at"].dt.strftime("%d.%m.%Y %H:%M"))), {"zone": "Europe/Berlin"}, FEATURES),
        ("infinite.parquet", parquet(ROWS.assign(amount=ROWS["amount"].where(ROWS.index % 50 > 0, np.inf))), {}, FEATURES),
        ("blank.parquet", parquet(ROWS.assign(town=ROWS["town"].where(ROWS.index % 5 > 0, ""))), {}, FEATURES),
        ("mixed.csv", csv(ROWS.assign(amount=ROWS["amount"].astype(str).where(ROWS.index % 50 > 0, "unknown"))), {}, FEATURES),
        ("lists.parquet", parquet(ROWS.assign(tags=[["a", "b"]] * N)), {}, FEATURES),
        ("null.parquet", parquet(ROWS.assign(empty=np.nan)), {}, FEATURES),
        ("unlabelled.parquet", parquet(ROWS.assign(bought=ROWS["bought"].astype("boolean").mask(ROWS.index % 3 == 0))), {}, FEATURES),
        ("floats.parquet", parquet(ROWS.assign(bought=ROWS["bought"].astype(float))), {}, FEATURES),
        ("names.csv", csv(ROWS.rename(columns={"amount": "class", "town": "Ort (Käufe)"})), {}, {"field_class", "ort_kaufe"}),
        ("future.csv", csv(ROWS.assign(at=ROWS["at"].where(ROWS.index < N - 3, pd.Timestamp("2090-01-01")))), {}, FEATURES),
    ],
)  # fmt: skip
def test_its_rows_fit_what_is_written(name, write, asked, features, tmp_path, monkeypatch):
    """Each feature is found, and most rows lie in the training window."""
    monkeypatch.chdir(tmp_path)
    table = read_table(str(write(Path(name))))

    found = draft("odd", table, Asked(target="bought", **asked), guessed)
    Path("recipe.py").write_text(recipe_text(found), encoding="utf-8")
    recipe = read_recipe(Path("recipe.py"))
    rows, start, end = load_rows(recipe, found.last_day)

    assert {each.name for each in found.features} == features
    assert len(check(rows, recipe.CONTRACT, start, end, declared(recipe))) > 0.5 * N

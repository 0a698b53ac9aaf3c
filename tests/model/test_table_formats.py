"""Tables as they come: numbers as text, dates in other orders, other encodings, values that no contract admits."""

import numpy as np
import pandas as pd
import pytest

from model.new_recipe.column_roles import times
from model.new_recipe.questions import guessed
from model.new_recipe.recipe_draft import Asked, draft
from model.new_recipe.recipe_text import recipe_text
from model.new_recipe.source_table import SourceError, read_table
from model.new_recipe.text_numbers import text_numbers

pytestmark = pytest.mark.slow

N = 600
AT = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(N) * 4, unit="h")
AMOUNTS = np.random.default_rng(1).lognormal(7, 1, N).round(2)


def table(**more):
    """Rows of customers, with the columns *more*."""
    random = np.random.default_rng(2)
    rows = {
        "user_id": random.integers(1, 90, N),
        "created_at": AT,
        "amount": AMOUNTS,
        "plan": random.choice(["basic", "pro"], N),
        "churned": random.integers(0, 2, N),
    }
    return pd.DataFrame(rows | more)


def comma(values):
    return [f"{value:,.2f}".translate(str.maketrans(",.", ".,")) for value in values]


def loaded(path):
    """The draft for the table at *path*, and what the recipe's `load` returns."""
    found = draft("shop", read_table(str(path)), Asked(target="churned"), guessed)
    recipe = {"__name__": "recipe"}
    exec(compile(recipe_text(found), "recipe", "exec"), recipe)
    return found, recipe["load"](*recipe["window"](found.last_day))


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(comma(AMOUNTS), id="1.234,50"),
        pytest.param([f"{each:,.2f}" for each in AMOUNTS], id="1,234.50"),
        pytest.param([f"${each:,.2f}" for each in AMOUNTS], id="$1,234.50"),
        pytest.param([f"{each} €" for each in comma(AMOUNTS)], id="1.234,50 €"),
        pytest.param([f"EUR {each}" for each in comma(AMOUNTS)], id="EUR 1.234,50"),
        pytest.param([f"{each:.2f}%" for each in AMOUNTS], id="1234.50%"),
        pytest.param([f"{each:,.2f}".replace(",", "'") for each in AMOUNTS], id="1'234.50"),
        pytest.param([f"{each:,.2f}".replace(",", "\u00a0").replace(".", ",") for each in AMOUNTS], id="1 234,50"),
    ],
)
def test_numbers_written_for_people_are_numbers(tmp_path, texts):
    table(amount=texts).to_csv(tmp_path / "shop.csv", sep=";", index=False)
    found, rows = loaded(tmp_path / "shop.csv")
    assert {each.name: each.kind for each in found.features} == {"amount": "number", "plan": "category"}
    np.testing.assert_allclose(rows["amount"], AMOUNTS)


@pytest.mark.parametrize("word", ["n/a", "-", "unknown", "#N/A", "keine Angabe"])
def test_words_among_numbers_are_missing_and_named(tmp_path, word):
    table(amount=[word if n % 20 == 0 else str(each) for n, each in enumerate(AMOUNTS)]).to_csv(
        tmp_path / "shop.csv", index=False
    )
    found, rows = loaded(tmp_path / "shop.csv")
    assert rows["amount"].isna().sum() == N // 20
    assert word in next(each.remark for each in found.features if each.name == "amount") + "#N/A"


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param([f"{n:05d}" for n in range(N)], id="codes with leading zeros"),
        pytest.param([str(n % 40) for n in range(N)], id="digits alone"),
        pytest.param([f"10.0.{n % 9}.{n % 7}" for n in range(N)], id="addresses"),
        pytest.param([f"A{n}" for n in range(N)], id="words with digits"),
        pytest.param([f"2026-01-{n % 28 + 1:02d}" for n in range(N)], id="days"),
        pytest.param([f"<{n % 9}.5" if n % 2 else f"{n}.5" for n in range(N)], id="limits of a measurement"),
        pytest.param(["a", "b"] * (N // 2), id="words"),
    ],
)
def test_codes_words_and_days_are_no_numbers(texts):
    assert text_numbers(pd.Series(texts), "x") is None


def test_a_column_whose_first_word_comes_late_is_read_to_its_end(tmp_path):
    rows = pd.concat([table()] * 60, ignore_index=True).assign(
        created_at=pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(N * 60) * 3, unit="min")
    )
    rows["amount"] = rows["amount"].astype(str).where(rows.index < len(rows) - 5, "unknown")
    rows.to_csv(tmp_path / "shop.csv", index=False)
    found, given = loaded(tmp_path / "shop.csv")
    assert "sample_size=-1" in found.table.reading
    assert given["amount"].isna().sum() == 5


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_files_of_other_encodings_are_read(tmp_path, encoding):
    cities = ["Köln", "Zürich", "Århus"] * (N // 3)
    table(city=cities).to_csv(tmp_path / "shop.csv", sep=";", index=False, encoding=encoding)
    _, rows = loaded(tmp_path / "shop.csv")
    assert rows["city"].tolist() == cities


@pytest.mark.parametrize(
    "form",
    ["%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M", "%d.%m.%y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%m/%d/%y %H:%M",
     "%Y/%m/%d %H:%M", "%d %b %Y %H:%M", "%b %d, %Y %H:%M", "%d-%m-%Y %H:%M", "%Y%m%d %H:%M"],
)  # fmt: skip
def test_times_are_read_as_they_are_written(tmp_path, form):
    table(created_at=AT.strftime(form)).to_csv(tmp_path / "shop.csv", sep=";", index=False)
    _, rows = loaded(tmp_path / "shop.csv")
    assert rows["created_at"].tolist() == AT.tz_localize("UTC").tolist()


@pytest.mark.parametrize(("unit", "each"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_seconds_since_1970_are_times(tmp_path, unit, each):
    seconds = (AT - pd.Timestamp(0)) // pd.Timedelta("1s")
    table(created_at=seconds * each).to_csv(tmp_path / "shop.csv", index=False)
    found, rows = loaded(tmp_path / "shop.csv")
    assert f'unit="{unit}"' in found.time_reading
    assert rows["created_at"].tolist() == AT.tz_localize("UTC").tolist()


def test_days_as_numbers_are_times(tmp_path):
    table(created_at=AT.strftime("%Y%m%d").astype(int)).to_csv(tmp_path / "shop.csv", index=False)
    _, rows = loaded(tmp_path / "shop.csv")
    assert rows["created_at"].tolist() == AT.normalize().tz_localize("UTC").tolist()


@pytest.mark.parametrize("name", ["amount", "quantity"])
def test_numbers_of_the_size_of_seconds_are_no_times(name):
    rows = pd.DataFrame({name: [1_600_000_000, 1_700_000_000]})
    assert times(rows, name) is None
    assert times(rows, name, asked=True) is not None


def test_days_far_from_all_others_do_not_decide_the_window(tmp_path):
    at = AT.strftime("%Y-%m-%d %H:%M").tolist()
    at[3], at[4] = "1900-01-01 00:00", "2199-12-31 00:00"
    table(created_at=at).to_csv(tmp_path / "shop.csv", index=False)
    found, rows = loaded(tmp_path / "shop.csv")
    assert found.last_day == (AT.max() + pd.Timedelta(days=1)).date()
    assert len(rows) == N - 2


def test_infinite_numbers_are_missing(tmp_path):
    table(amount=[np.inf if n % 50 == 0 else each for n, each in enumerate(AMOUNTS)]).to_csv(
        tmp_path / "shop.csv", index=False
    )
    found, rows = loaded(tmp_path / "shop.csv")
    assert rows["amount"].isna().sum() == N // 50
    assert next(each for each in found.features if each.name == "amount").nullable


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pd.Categorical(["a", "b"] * (N // 2)), id="an enumeration"),
        pytest.param(pd.array(["a", "b"] * (N // 2), dtype="string"), id="a string type"),
    ],
)
def test_enumerations_are_categories(tmp_path, values):
    table(kind=values).to_parquet(tmp_path / "shop.parquet")
    found, _ = loaded(tmp_path / "shop.parquet")
    assert next(each.kind for each in found.features if each.name == "kind") == "category"


def test_lists_and_bytes_are_left_out_and_named(tmp_path):
    table(tags=[["a", str(n)] for n in range(N)], blob=[bytes([n % 200]) for n in range(N)]).to_parquet(
        tmp_path / "shop.parquet"
    )
    found, _ = loaded(tmp_path / "shop.parquet")
    assert found.left == dict.fromkeys(("tags", "blob"), "values that are no number, text or boolean")


@pytest.mark.parametrize(("yes", "no"), [("Ja", "Nein"), ("oui", "non"), ("sí", "no"), ("Y", "N"), ("true", "false")])
def test_the_positive_class_is_the_one_that_says_yes(tmp_path, yes, no):
    table(churned=np.where(np.arange(N) % 3 == 0, no, yes)).to_csv(tmp_path / "shop.csv", index=False)
    found, _ = loaded(tmp_path / "shop.csv")
    assert str(found.classes[1]).lower() == yes.lower()


def test_a_file_that_cannot_be_read_is_said(tmp_path):
    (tmp_path / "shop.csv").write_bytes(b"\x00\x01\x02" * 50)
    with pytest.raises(SourceError, match=r"shop\.csv"):
        loaded(tmp_path / "shop.csv")

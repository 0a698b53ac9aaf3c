"""A feature's life: added and dropped in the recipe's text, and nothing else touched."""

import difflib
import json

import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline

from contracts.row_contract import Contract, Feature, Target
from model.__main__ import OK, USAGE, main
from model.features.add_drop import add, drop, spelt
from model.features.column_lists import mentions
from model.features.feature_uses import uses
from model.features.recipe_edit import drops
from model.features.recipe_syntax import EditError
from model.train import read_recipe

pytestmark = pytest.mark.slow


@pytest.fixture
def recipe(root, tmp_path):
    path = tmp_path / "recipe.py"
    path.write_text((root / "model/recipe.py").read_text())
    return path


def changed(before, after):
    """The lines that differ, without their indentation."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line[0] + line[1:].strip() for line in lines if line[:3] not in ("---", "+++", "@@ ")]


def test_a_feature_comes_in_with_its_value(recipe):
    """One line in the contract, and load gives it."""
    text, contract = recipe.read_text(), read_recipe(recipe).CONTRACT
    hour = Feature("hour", "number", "hour of the day", minimum=0, maximum=23)

    assert changed(text, add(text, contract, hour, 'rows["minute"] // 60')) == [
        '+Feature("hour", "number", description="hour of the day", minimum=0, maximum=23),',
        "-return rows",
        '+return rows.assign(hour=lambda rows: rows["minute"] // 60)',
    ]


def test_lists_of_its_kind_get_its_name(recipe):
    """An encoder of categories would leave a new one as a string."""
    text, contract = recipe.read_text(), read_recipe(recipe).CONTRACT

    assert changed(text, add(text, contract, Feature("gate", "category"))) == [
        '+Feature("gate", "category"),',
        '-CATEGORIES = ["carrier", "origin", "dest"]',
        '+CATEGORIES = ["carrier", "origin", "dest", "gate"]',
    ]


def test_a_feature_is_retired_and_goes_from_slices_and_lists(recipe):
    """Else the contract would contradict itself, and the estimator meet a string."""
    text, contract = recipe.read_text(), read_recipe(recipe).CONTRACT
    after = drop(text, contract, "origin")

    assert changed(text, after) == [
        '-Feature("origin", "category", "airport it leaves from", owner="inventory"),',
        "+retired=(",
        '+Feature("origin", "category", "airport it leaves from", owner="inventory"),',
        "+),",
        '-slices=("origin",),',
        "+slices=(),",
        '-CATEGORIES = ["carrier", "origin", "dest"]',
        '+CATEGORIES = ["carrier", "dest"]',
    ]
    assert next(line for _, line in mentions(after, "origin")).startswith("admitted = ")


def test_what_is_dropped_twice_is_gone_for_good(recipe):
    """Once no live model reads it."""
    text, contract = recipe.read_text(), read_recipe(recipe).CONTRACT
    for name in ("visib", "pressure", "visib", "pressure"):
        recipe.write_text(drop(recipe.read_text(), read_recipe(recipe).CONTRACT, name))

    assert read_recipe(recipe).CONTRACT.columns == contract.features[:-2]
    assert [line for line in changed(text, recipe.read_text()) if line[0] == "+"] == ["+retired=(),"]


@pytest.mark.parametrize(
    ("before", "features", "after"),
    [
        ("private=(), ", "features=[A, B]", "private=(), features=[A], retired=(B,)"),
        ("retired=(C,), ", "features=(A, B)", "retired=(C, B,), features=(A,)"),
        ("retired=[], ", "features=(A, B)", "retired=[B], features=(A,)"),
    ],
)
def test_however_it_is_laid_out(before, features, after):
    """On one line, or with retired ones before."""
    named = {each: f'Feature("{each.lower()}", "number")' for each in "ABC"}
    before, features, after = (_spelt(words, named) for words in (before, features, after))
    made = [Feature(each, "number") for each in "ab"]
    contract = Contract("toy", "binary", tuple(made), Target("y", (0, 1)), key="k", time="t")

    assert drop(f"CONTRACT = Contract({before}{features})", contract, "b") == f"CONTRACT = Contract({after})"


def _spelt(words, named):
    return "".join(named.get(each, each) for each in words)


@pytest.mark.parametrize("name", ["carrier", "origin", "dest", "minute", "temp", "visib"])
def test_what_was_added_or_dropped_is_a_recipe(recipe, name):
    """Whichever it was: first, last, one over several lines."""
    recipe.write_text(drop(recipe.read_text(), read_recipe(recipe).CONTRACT, name))
    once = read_recipe(recipe).CONTRACT
    recipe.write_text(add(recipe.read_text(), once, Feature("x", "category", "ein ü")))

    assert name not in once.feature_names
    assert [each.name for each in once.retired] == [name]
    assert read_recipe(recipe).CONTRACT.feature_names == (*once.feature_names, "x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("CONTRACT = Contract(features=FEATURES)", "the features are FEATURES, which another file"),
        ("CONTRACT = Contract(features=[*a] + b)", "not a plain list"),
        ("CONTRACT = contract()", "not a plain list"),
        ("A = 1", "there is no CONTRACT"),
    ],
)
def test_what_cannot_be_edited_is_said(recipe, text, words):
    """With what to do by hand."""
    contract = read_recipe(recipe).CONTRACT

    with pytest.raises(EditError, match=words):
        add(text, contract, Feature("x", "number"))


def test_who_uses_it_is_printed(recipe, tmp_path):
    """Slices, what is waived for it or expected of it, and whoever sends it."""
    contract = read_recipe(recipe).CONTRACT
    waivers, expected = tmp_path / "waivers.toml", tmp_path / "expected.toml"
    waivers.write_text('# the origin\n[[waiver]]\nrule = "slice.origin=LGA"\nreason = "origin"\n')
    expected.write_text('[[expected]]\ncauses = ["page/missing_values/origin", "issue/drift/dest"]\n')
    journal = tmp_path / "journal"
    journal.mkdir()
    answers = [
        {"at": "2026-11-01T00:00:00Z", "key": key, "row": row}
        for key, row in (("a", {"origin": "EWR"}), ("a", {"origin": "JFK"}), ("b", {}))
    ]
    (journal / "answers-1.jsonl").write_text("\n".join(map(json.dumps, answers)))

    files = [waivers, expected, tmp_path / "no file.toml"]
    assert uses(contract, "origin", files, journal) == [
        "slice: the gate compares models by origin",
        "owner: inventory",
        f"{waivers}: slice.origin=LGA",
        f"{expected}: page/missing_values/origin",
        "clients: 2 of 3 requests in the journal have it, for 1 keys, last at 2026-11-01T00:00:00Z",
    ]
    assert uses(contract, "visib", files, journal)[-1] == ("clients: none of the 3 requests in the journal has it")


def test_it_is_typed_in_one_line(recipe, capsys):
    """And says what comes next."""
    words = ["feature", "add", "hour", "--value", 'rows["minute"] // 60', "--recipe", str(recipe)]

    assert main(words) == OK
    assert main(["feature", "drop", "visib", "--recipe", str(recipe)]) == OK
    assert main(["feature", "drop", "visibility", "--recipe", str(recipe)]) == USAGE
    printed = capsys.readouterr()
    assert "hour is a feature now" in printed.out
    assert "owner: weather" in printed.out
    assert "the contract has no visibility; it has carrier" in printed.err


@pytest.fixture
def basket(root, tmp_path):
    """A recipe whose estimator names its columns, and drops the others."""
    here, path = root / "tests/recipes", tmp_path / "basket.py"
    (tmp_path / "visits.py").write_text((here / "visits.py").read_text())
    features = ", ".join(map(spelt, read_recipe(here / "basket.py").CONTRACT.features))
    text = (here / "basket.py").read_text().replace("=FEATURES", f"=({features})")
    path.write_text(text.replace("import Contract", "import Contract, Feature"))
    return path


def asked(basket, *words, today="2026-02-20"):
    return main(["feature", *words, "--recipe", str(basket), "--today", today])


def test_what_is_added_is_tried_before_it_is_said(basket, capsys):
    """It loads, and the estimator takes it."""
    age = ["--value", 'rows["age"].round(-1)', "--nullable"]

    assert asked(basket, "add", "decade", *age) == OK
    assert '["age", "pages", "returning", "decade"]' in basket.read_text()
    assert '["country", "device"]' in basket.read_text()
    assert capsys.readouterr().out.splitlines()[0].endswith("decade is a feature now")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "x", "--value", "rows.nothing"], "its rows cannot be loaded: AttributeError"),
        (["add", "x", "--value", "rows.pages", "--maximum", "1"], "rows do not fit the contract"),
        (["add", "x", "--value", "rows.pages.astype(str)"], "rows do not fit the contract"),
        (["add", "x", "--kind", "category", "--value", "rows.pages"], "rows do not fit the contract"),
        (["drop", "age"], "is named in line"),
    ],
)
def test_where_the_edit_makes_no_recipe_the_file_stays_as_it_was(basket, capsys, words, said):
    """And it is not called a feature."""
    text = basket.read_text().replace('["age", "pages"', '[str("age"), "pages"')
    basket.write_text(text)

    assert asked(basket, *words) == USAGE
    printed = capsys.readouterr()
    assert "was not changed" in printed.err
    assert said in printed.err
    assert "a feature" not in printed.out
    assert basket.read_text() == text


def test_where_no_list_can_be_chosen_the_lines_are_named(basket, capsys):
    """And it is said that the estimator leaves the column out."""
    words = ["add", "hour", "--kind", "category", "--value", 'rows["at"].dt.hour.astype(str)']

    assert asked(basket, *words) == OK
    printed = capsys.readouterr().out
    line = next(n for n, line in enumerate(basket.read_text().split("\n"), 1) if '"device"]' in line)
    assert f"the columns in line {line}, add it there by hand" in printed
    assert "the estimator does not use it yet: add it to one of these" in printed
    assert "hour" in read_recipe(basket).CONTRACT.feature_names


def test_where_load_does_not_give_it_yet_the_contract_is_changed_alone(basket, capsys):
    """What cannot be tried is written, and load is left to a person."""
    assert asked(basket, "add", "hour") == OK
    assert "load() must return it" in capsys.readouterr().out


def test_a_recipe_that_fails_as_it_is_can_be_edited(basket, capsys):
    """The edit is not to blame; that it was not tried is said."""
    text = basket.read_text().replace("rows = visits(start, end)", "raise OSError('no warehouse')")
    basket.write_text(text)

    assert asked(basket, "add", "x", "--value", "rows.pages") == OK
    assert (
        "not tried: the rows of the unchanged recipe cannot be loaded: OSError: no warehouse" in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    "returned",
    ["(today, today)", "None", "('2026-01-01', '2026-02-01')", "(datetime(2026, 1, 1), datetime(2026, 2, 1))"],
)
def test_a_window_that_is_no_stretch_of_time_is_said_with_its_line(basket, capsys, returned):
    """As when a model is trained; the edit is not to blame."""
    basket.write_text(basket.read_text() + f"\n\ndef window(today): return {returned}\n")
    line = basket.read_text().split("\n").index(f"def window(today): return {returned}") + 1

    assert asked(basket, "add", "x", "--value", "rows.pages") == OK
    printed = capsys.readouterr().out
    assert "not tried: the rows of the unchanged recipe cannot be loaded: RecipeError" in printed
    assert f"(basket.py:{line}); expected two datetimes with a zone" in printed


def test_a_value_that_does_not_fit_is_said_with_the_line_of_its_field(basket, capsys):
    """In the recipe as it is: the edit is not written."""
    text = basket.read_text()
    text += "\nwhole = load\ndef load(start, end):\n    return whole(start, end).assign(pages='many')\n"
    basket.write_text(text)
    line = next(n for n, line in enumerate(text.split("\n"), 1) if 'Feature("pages"' in line)

    assert asked(basket, "drop", "age") == OK
    assert f"basket.py:{line}: pages: expected a number" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("columns", "left_out"),
    [
        (["a", "b"], False),
        (["a"], True),
        ([0, 1], False),
        ([0], True),
        (slice(0, 2), False),
        (slice(0, 1), True),
        (slice("a", "b"), False),
        ([True, True], False),
        ([True, False], True),
        (lambda frame: ["b"], False),
    ],
)
def test_what_a_column_transformer_drops_is_seen(columns, left_out):
    """However it selects columns; the remainder counts."""
    frame = pd.DataFrame({"a": [1.0, 2], "b": [3.0, 4]})
    for remainder in ("drop", "passthrough"):
        made = make_pipeline(ColumnTransformer([("x", "passthrough", columns)], remainder=remainder))
        assert drops(made.fit(frame), "b") == (left_out and remainder == "drop")


def test_an_edit_is_tried_on_rows_that_have_an_outcome(recipe, capsys):
    """Where outcomes come late, the newest rows have none; an estimator that breaks is found all the same."""
    text = recipe.read_text().replace(
        'late or more, or cancelled"),\n', 'late or more, or cancelled", known_at="seen"),\n'
    )
    text = text.replace(
        "    return rows\n", '    rows["seen"] = rows["scheduled_at"] + timedelta(days=20)\n    return rows\n', 1
    )
    text = text.replace("encoder, CATEGORIES)]", 'encoder, CATEGORIES), ("wet", "passthrough", ["hum" + "id"])]')
    recipe.write_text(text)

    assert main(["feature", "drop", "humid", "--recipe", str(recipe), "--today", "2013-06-20"]) == USAGE
    assert "humid" in capsys.readouterr().err
    assert recipe.read_text() == text

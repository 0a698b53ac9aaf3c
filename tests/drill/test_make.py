"""A case that cannot be made does not apply, and takes no other with it; a run that was cut off goes on."""

import json
import os
from datetime import date, timedelta
from pathlib import Path

import pytest

from contracts.row_contract import ContractError
from drill import make as making
from drill.__main__ import NO_DRILL, OK, _goes_on, main
from drill.drill_digest import beside, identity
from drill.fault import DoesNotApplyError, Fault
from drill.make import Case, make, read
from drill.rounds import Round
from drill.thinned_recipe import Subject
from drill.workers import spread
from model.data import DataError
from model.onnx_export.export import ExportError
from model.onnx_export.parity import ParityError
from model.train import RecipeError

pytestmark = pytest.mark.slow


class Subjected:
    """A subject whose bundles are not made, for *error* is raised; or which makes one."""

    today, since = date(2026, 2, 20), None

    def __init__(self, error=None, champion=None):
        self.error, self.no_champion = error, champion

    def fit(self, _):
        if self.error:
            raise self.error
        return "fitted"

    def export(self, *_, **__):
        return Path("bundle")

    def champion(self, _):
        if self.no_champion:
            raise self.no_champion
        return Path("champion")


def caused(error, cause):
    error.__cause__ = cause
    return error


def faulty(tmp_path, subject, rules=("train.contract", "export.*"), recipe=lambda _: None):
    return making._faulty(subject, Fault("f", "a fault", rules, recipe=recipe), "data", tmp_path)


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (ContractError("rows do not fit", []), "train.contract"),
        (ExportError("no converter"), "export.graph"),
        (ParityError("differs"), "export.parity"),
    ],
)
def test_a_refusal_that_the_fault_names_is_a_catch(tmp_path, error, refused):
    """No bundle is made of it."""
    case = faulty(tmp_path, Subjected(error))

    assert (case.refused, case.left_out, case.bundle) == (refused, "", "")
    assert case.said.startswith(str(error)[:10])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            RecipeError("the encoder met 'Graz-new'"),
            "for another reason than the fault (train.recipe): the encoder met",
        ),
        (DataError("no rows"), "for another reason than the fault (train.data)"),
        (
            ValueError("Found unknown categories\n in column 0"),
            "ValueError: Found unknown categories in column 0 (test_make.py:",
        ),
        (KeyError("age"), "KeyError: 'age'"),
        (MemoryError("320 columns"), "MemoryError: 320 columns"),
        (SystemExit("no password for the warehouse"), "SystemExit: no password"),
        (DoesNotApplyError("there is no category"), "there is no category"),
        (caused(ExportError("…"), DoesNotApplyError("the graph has no trees")), "the graph has no trees"),
        (
            caused(ContractError("…", []), caused(ValueError("…"), DoesNotApplyError("nothing to swap"))),
            "nothing to swap",
        ),
    ],
)
def test_what_else_is_raised_does_not_apply_with_the_reason(tmp_path, error, words):
    """It is neither a catch nor a miss: nothing came before the gate."""
    case = faulty(tmp_path, Subjected(error))

    assert words in case.left_out
    assert (case.refused, case.bundle) == ("", "")


def test_a_recipe_or_a_champion_that_cannot_be_had_does_not_apply(tmp_path):
    """Wherever it is raised."""

    def raises(_):
        raise ZeroDivisionError("no rows")

    assert "ZeroDivisionError" in faulty(tmp_path, Subjected(), recipe=raises).left_out
    assert "OSError: gone" in faulty(tmp_path / "two", Subjected(champion=OSError("gone"))).left_out


@pytest.fixture
def strict(root, tmp_path):
    """The small shop, whose encoder raises for a category that it never saw."""
    here = root / "tests/recipes"
    text = (here / "buys.py").read_text()
    assert 'OneHotEncoder(handle_unknown="ignore"' in text
    (tmp_path / "buys.py").write_text(text.replace('handle_unknown="ignore"', 'handle_unknown="error"'))
    (tmp_path / "visits.py").write_text((here / "visits.py").read_text())
    return tmp_path / "buys.py"


def test_rows_that_break_the_recipes_own_encoder_do_not_apply(strict, tmp_path):
    """The campaign that is new in the holdout breaks the recipe itself: then there is nothing to try."""
    out = str(tmp_path / "drill")
    words = ["make", "--recipe", str(strict), "--today", "2026-02-20", "--clean", "0", "--seed", "1", "--out", out]

    assert main([*words, "--only", "category renamed"]) == NO_DRILL
    assert main(["judge", "--out", out]) == NO_DRILL


@pytest.mark.parametrize("words", [["judge"], ["peers"], ["make", "--recipe", "no/recipe.py"]])
def test_what_cannot_be_done_is_said_without_a_traceback(tmp_path, capsys, words):
    """With what to type first."""
    assert main([*words, "--out", str(tmp_path)]) == NO_DRILL
    assert capsys.readouterr().err.startswith("error: there is no ")


def test_a_run_that_was_cut_off_goes_on_where_it_was(root, tmp_path, capsys):
    """With the same recipe, day and code; what is done is not done again."""
    out = tmp_path / "drill"
    words = [
        "make",
        "--recipe",
        str(root / "tests/recipes/buys.py"),
        "--clean",
        "0",
        "--out",
        str(out),
        "--only",
        "digest",
    ]
    assert main([*words, "--today", "2026-02-20"]) == OK
    (out / "0/process-3/case.json").unlink()
    before = (out / "0/clean-0/case.json").stat()

    assert main([*words, "--today", "2026-02-20"]) == OK
    assert "1 are done by the interrupted run" in capsys.readouterr().out
    assert (out / "0/clean-0/case.json").stat().st_ino == before.st_ino
    assert read(out / "0/process-3/case.json").bundle

    assert main([*words, "--today", "2026-02-19"]) == OK
    assert "cut off" not in capsys.readouterr().out
    of = json.loads((out / "subject.json").read_text())["of"]
    assert _goes_on(out, of)
    (out / "drill.json").write_text("{}")  # a run that was finished begins again
    assert not _goes_on(out, of)


def test_another_recipe_day_or_code_is_another_drill(tmp_path):
    """A digest of all that the results depend on."""
    recipe, code = tmp_path / "r/recipe.py", tmp_path / "code/model/x.py"
    for path in (recipe, code):
        path.parent.mkdir(parents=True)
        path.write_text("1")

    def of(day=date(2026, 2, 20)):
        return identity(day, 1e-5, files=beside(recipe), root=tmp_path / "code")

    first = of()
    assert of() == first != of(date(2026, 2, 20) + timedelta(days=1))
    recipe.write_text("2")
    second = of()
    (tmp_path / "r/rows.py").write_text("")
    third = of()
    code.write_text("2")
    assert len({first, second, third, of()}) == 4


def _work(number):
    if number == 3:
        os._exit(9)
    return number


def _lost(number):
    return -number


def test_a_process_that_is_killed_takes_no_other_task_with_it():
    """What it was doing has its own result."""
    assert sorted(spread(_work, [(n,) for n in range(8)], _lost)) == [-3, 0, 1, 2, 4, 5, 6, 7]


def test_a_case_whose_process_was_killed_does_not_apply(tmp_path, root):
    """By its name."""
    (tmp_path / "data-2").mkdir()
    (tmp_path / "clean-1").mkdir()
    subject = Round(0, Subject(root / "tests/recipes/buys.py", date(2026, 2, 20), 1e-5), 1)

    assert making.lost(subject, "data", 2, tmp_path).name == "sign flipped"
    assert making.lost(subject, "clean", 1, tmp_path).name == "other rows and seed 0"
    assert "killed" in json.loads((tmp_path / "data-2/case.json").read_text())["left_out"]
    assert make(subject, "data", 2, tmp_path) == read(tmp_path / "data-2/case.json")
    assert Case("x", "data").left_out == ""


def test_a_window_that_is_no_stretch_of_time_is_said_before_a_case_is_made(root, tmp_path, capsys):
    """As when a model is trained, with the line; else each case would be left out for it."""
    recipe = tmp_path / "dates.py"
    recipe.write_text((root / "model/recipe.py").read_text() + "\ndef window(today): return today, today\n")
    words = ["make", "--recipe", str(recipe), "--out", str(tmp_path / "out"), "--today", "2026-02-20"]

    assert main(words) == NO_DRILL
    assert "window() returned date and date (dates.py:" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    with pytest.raises(RecipeError, match=r"window\(\) returned date and date"):
        Subject(recipe, date(2026, 2, 20), 1e-5).since  # noqa: B018 -- it is what raises

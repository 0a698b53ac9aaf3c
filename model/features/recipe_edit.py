"""Edit a recipe's file: a new text is tried on a few rows before the file is replaced."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer

from contracts.row_contract import Contract, Feature
from model.data import Split, check, encoded_target, model_inputs
from model.declarations import declared
from model.features.add_drop import add, drop, undecided
from model.features.column_lists import mentions
from model.features.recipe_syntax import EditError
from model.label_delay.known_outcomes import known
from model.onnx_export.export import to_graph
from model.train import Fitted, training_window

#: The share of the window that is loaded, and how many of its rows are used for the fit.
SHARE, ROWS = 10, 2_000


@dataclass(frozen=True)
class Tried:
    """The result of a trial.

    *wrong*: why the text must not be written (it does not load, or the estimator refuses the rows). *unsure*: why it
    could not be tried. *dropped*: the estimator ignores the column.
    """

    wrong: str = ""
    unsure: str = ""
    dropped: bool = False


class Edited:
    """Edits the *recipe* in the file *path*. Rows are loaded up to *today*."""

    def __init__(self, recipe: ModuleType, path: Path, today: date) -> None:
        self.contract: Contract = recipe.CONTRACT
        self._recipe, self._path, self._today = recipe, path, today

    def add(self, feature: Feature, value: str = "") -> list[str]:
        """Add *feature*, with the *value* in `load`, if there is one. Returns remarks.

        Raises `EditError`, and leaves the file unchanged.
        """
        problems = list(feature.own_problems())
        if problems:
            raise EditError("; ".join(problems))
        text, contract, name = self._text(), self.contract, feature.name
        new, found = self._write(name, [add(text, contract, feature, value, listed=listed) for listed in (True, False)])
        said = [f"{self._path}: {name} is a feature now"]
        if not value:
            said.append(
                f"  load() must return it: write `return rows.assign({name}=…)`, or run the command again with --value"
            )
        elif found.unsure:
            said.append(f"  not tried: {found.unsure}")
        lines = undecided(new, contract, feature)
        for number, line in lines:
            said.append(f"  if it belongs to the columns in line {number}, add it there by hand: {line}")
        if found.dropped:
            where = "one of these" if lines else "the columns of one of its transformers"
            said.append(f"  the estimator does not use it yet: add it to {where}")
        return said

    def drop(self, name: str) -> list[str]:
        """Retire a feature, or remove a retired one. Returns and raises as `add`."""
        new, found = self._write(name, [drop(self._text(), self.contract, name)])
        retired = "retired; its column stays for live models. Run the command again to remove the column, too"
        what = retired if name in self.contract.feature_names else "removed, with its column"
        said = [f"{self._path}: {name} is {what}"]
        said += [f"  still named in line {number}: {line}" for number, line in mentions(new, name)]
        return [*said, f"  not tried: {found.unsure}"] if found.unsure else said

    def _write(self, name: str, texts: Sequence[str]) -> tuple[str, Tried]:
        """Write the first of *texts* that is a valid recipe; returns it with the trial's result."""
        for text in texts:
            found = tried(self._recipe, text, self._path, name, self._today)
            if not found.wrong:
                self._path.write_text(text, encoding="utf-8")
                return text, found
        lines = [f"\n  {name} is named in line {number}: {line}" for number, line in mentions(self._text(), name)]
        raise EditError(f"{self._path} was not changed: with the edit, {found.wrong}{''.join(lines)}")

    def _text(self) -> str:
        return self._path.read_text(encoding="utf-8")


def tried(before: ModuleType, text: str, path: Path, name: str, today: date) -> Tried:
    """Load and fit the recipe of *text*, which changes the feature *name* of the recipe *before*.

    A few rows up to *today* are loaded, the estimator is fitted to them and exported. An error that the recipe *before*
    has as well is not counted. Nothing is written.
    """
    try:
        after = _read(text, path)
    except Exception as error:  # whatever the file raises
        return Tried(wrong=f"it cannot be imported: {_said(error)}")
    rows, failed = _outcome(lambda: _loaded(after, today))
    if failed:
        usual = _outcome(lambda: _loaded(before, today))[1]
        return (
            Tried(unsure=f"the rows of the unchanged recipe cannot be loaded: {usual}")
            if usual
            else Tried(wrong=f"its rows cannot be loaded: {failed}")
        )
    if name in after.CONTRACT.feature_names and name not in rows:
        return Tried(unsure="load() does not return it yet")
    estimator, failed = _outcome(lambda: _fitted(after, rows, today))
    if failed:
        usual = _outcome(lambda: _fitted(before, _loaded(before, today), today))[1]
        few = "the unchanged recipe fails on the few rows of the trial"
        return Tried(unsure=f"{few}: {usual}") if usual else Tried(wrong=failed)
    return Tried(dropped=name in after.CONTRACT.feature_names and drops(estimator, name))


def drops(estimator: Any, name: str) -> bool:
    """Whether the fitted *estimator* passes the column *name* to none of its parts.

    Decided by the outermost `ColumnTransformer` that receives the column, if there is one.
    """
    for part in _parts(estimator):
        given = [str(each) for each in getattr(part, "feature_names_in_", ())]
        if isinstance(part, ColumnTransformer) and name in given:
            return not any(
                name in _columns(given, columns)
                for _, step, columns in part.transformers_
                if not (isinstance(step, str) and step == "drop")
            )
    return False


def _read(text: str, path: Path) -> ModuleType:
    """The recipe of *text*, as if it were in the file *path*; nothing is written."""
    recipe = ModuleType("recipe")
    recipe.__file__ = str(path)
    exec(compile(text, str(path), "exec"), recipe.__dict__)  # noqa: S102 -- the user's own file
    if not isinstance(getattr(recipe, "CONTRACT", None), Contract):
        raise TypeError("it has no CONTRACT")
    return recipe


def _loaded(recipe: ModuleType, today: date) -> pd.DataFrame:
    """The rows of the last part of the window, as returned by `load`; of the first where outcomes come late."""
    start, end = training_window(recipe, today)
    part, night = max((end - start) / SHARE, timedelta(days=1)), end
    if recipe.CONTRACT.target.comes_late:
        end = min(end, start + part)
    start = max(start, end - part)
    rows = recipe.load(start, end)
    absent = {each.name for each in recipe.CONTRACT.features} - {*rows.columns}
    return rows if absent else check(rows, recipe.CONTRACT, start, end, declared(recipe), known_by=night)


def _fitted(recipe: ModuleType, rows: pd.DataFrame, today: date) -> Any:
    contract: Contract = recipe.CONTRACT
    if contract.target.comes_late:
        rows = rows[known(rows, contract)].reset_index(drop=True)
    if len(rows) > ROWS:
        rows = rows.sample(ROWS, random_state=0).sort_index(ignore_index=True)
    estimator = recipe.estimator()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few rows: warnings about them do not concern the recipe
        estimator.fit(model_inputs(rows, contract), encoded_target(rows, contract))
        to_graph(Fitted(estimator, contract, Split(rows, rows), training_window(recipe, today), {}))
    return estimator


def _outcome(attempt: Callable[[], Any]) -> tuple[Any, str]:
    """The result of *attempt*, and its error as text; "" if there is none."""
    try:
        return attempt(), ""
    except Exception as error:  # whatever the recipe raises
        return None, _said(error)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _parts(thing: Any) -> Iterator[BaseEstimator]:
    """An estimator and the estimators in it, outermost first."""
    if isinstance(thing, BaseEstimator):
        yield thing
        thing = vars(thing)
    children = thing.values() if isinstance(thing, dict) else thing
    if isinstance(thing, (dict, list, tuple)):
        for child in children:
            yield from _parts(child)


def _columns(given: list[str], columns: Any) -> list[str]:
    """The names of what a transformer's *columns* select: names, places, a slice or a mask."""
    frame = pd.DataFrame(columns=given)
    asked = [columns] if isinstance(columns, (str, int)) else columns
    listed = [*asked] if not isinstance(asked, slice) else []
    places = any(isinstance(each, int) and not isinstance(each, bool) for each in listed)
    by_place = places or (isinstance(asked, slice) and not isinstance(asked.start or asked.stop, str))
    found = frame.iloc[:, asked] if by_place else frame.loc[:, asked]
    return [str(each) for each in found.columns]

"""Try estimators, encoders and settings: which are exported to ONNX with equal scores, and what is refused.

python -m docs.generate.estimator_table     write docs/reference/estimators.md

Each line of a table of that page is Python code and what became of it. Rows are generated, with nulls in a number and in
a category; the exported model is compared on the holdout, on nulls, unseen categories and bounds, and beside thresholds.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from contracts.row_contract import Contract, Feature, Target
from docs.generate.markdown_table import table
from model.data import DataError
from model.onnx_export.bundle_manifest import Build
from model.onnx_export.export import ExportError, export
from model.onnx_export.parity import ParityError
from model.train import RecipeError, read_recipe, train

PAGE = Path(__file__).parents[1] / "reference/estimators.md"
TODAY = date(2026, 2, 20)
EXPORTED = "yes"
RECIPE = """
import numpy as np
from sklearn.model_selection import GridSearchCV
{imports}
from docs.generate.estimator_table import contract, rows, window

CONTRACT, load = contract({task!r}), lambda start, end: rows({task!r}, start, end)

def estimator():
    return {code}
"""
IMPORTS = "\n".join(
    f"from sklearn.{each} import *"
    for each in (
        "calibration", "compose", "discriminant_analysis", "ensemble", "feature_selection", "impute", "linear_model",
        "naive_bayes", "neighbors", "neural_network", "pipeline", "preprocessing", "svm", "tree",
    )
)  # fmt: skip
_TARGETS = {"binary": (0, 1), "multiclass": ("a", "b", "c"), "regression": ()}
_MARK = re.compile(r"^\| `(.+)` \| (\w+) \| (.+) \|$", re.MULTILINE)


def contract(task: str) -> Contract:
    """Two numbers, a category and a boolean; one number and the category may be null."""
    features = (
        Feature("amount", "number", minimum=-1e4, maximum=1e4, nullable=True),
        Feature("age", "number", minimum=0, maximum=120),
        Feature("town", "category", nullable=True),
        Feature("member", "boolean"),
    )
    return Contract("tried", task, features, Target("y", _TARGETS[task]), "k", "at")  # type: ignore[arg-type]


def window(today: date) -> tuple[datetime, datetime]:
    """Forty days."""
    end = datetime.combine(today, time(), UTC)
    return end - timedelta(days=40), end


def rows(task: str, start: datetime, end: datetime) -> pd.DataFrame:
    """800 rows, the same ones at each call, from *start* up to *end*."""
    random, count = np.random.default_rng(0), 800
    made = pd.DataFrame(
        {
            "k": [f"r{i}" for i in range(count)],
            "at": pd.Timestamp(window(TODAY)[0]) + pd.to_timedelta(np.arange(count), unit="h"),
            "amount": random.normal(50, 20, count).round(2),
            "age": random.integers(18, 90, count),
            "town": random.choice(["Graz", "Linz", "Wels"], count),
            "member": random.random(count) < 0.5,
        }
    )
    signal = made["amount"] / 20 + made["age"] / 30 + (made["town"] == "Graz") + random.normal(0, 0.5, count)
    signal = ((signal - signal.mean()) / signal.std()).to_numpy()
    outcomes = {
        "binary": (signal > 0).astype(int),
        "multiclass": np.array(["a", "b", "c"])[np.searchsorted([-0.5, 0.5], signal)],
        "regression": np.exp(signal),
    }
    made["y"] = outcomes[task]
    made.loc[random.random(count) < 0.1, "amount"] = np.nan
    made.loc[random.random(count) < 0.1, "town"] = None
    return made[(made["at"] >= start) & (made["at"] < end)]


def outcome(code: str, task: str) -> str:
    """What becomes of the estimator *code*: `EXPORTED`, or what to write instead."""
    imports = IMPORTS + "".join(f"\nfrom {each} import *" for each in libraries(code))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about settings that are tried on purpose
        path = Path(folder) / "recipe.py"
        path.write_text(RECIPE.format(imports=imports, task=task, code=code), encoding="utf-8")
        try:
            fitted = train(read_recipe(path), TODAY, second_fit=False, refit=False)
            export(fitted, Build(datetime.now(UTC), "", path), Path(folder) / "out", 1e-5)
        except (RecipeError, DataError, ExportError, ParityError) as error:
            return _advice(str(error))
    return EXPORTED


def libraries(code: str) -> list[str]:
    """The libraries of `requirements/recipe.in` that *code* uses."""
    known = {"LGBM": "lightgbm", "XGB": "xgboost", "CatBoost": "catboost"}
    return [library for name, library in known.items() if name in code]


def _advice(message: str) -> str:
    """The last part of an error's *message*: what to write."""
    listed = re.findall(r"^ +(?:- |What to do: )(.+)$", message, re.MULTILINE)
    return "; ".join(dict.fromkeys(listed[-1:])) or message.splitlines()[0]


def tried(text: str) -> list[tuple[str, str, str]]:
    """The lines of the page's tables: code, task and what became of it."""
    return [(code.replace("\\|", "|"), task, said.replace("\\|", "|")) for code, task, said in _MARK.findall(text)]


def main() -> None:
    """Try every line of the page again, and write what became of it."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_MARK.sub(lambda found: _row(*tried(found[0])[0][:2]), text), encoding="utf-8")


def _row(code: str, task: str) -> str:
    cells: Iterable[str] = (f"`{code}`", task, outcome(code, task))
    return table(["Estimator", "Task", ""], [tuple(cells)]).splitlines()[-1]


if __name__ == "__main__":
    main()

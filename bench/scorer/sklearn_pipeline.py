"""Write the default recipe's scikit-learn pipeline for the peers, and rows with its scores.

.venv/work/bin/python -m bench.scorer.sklearn_pipeline FOLDER 2013-04-29
"""

from __future__ import annotations

import json
import pickle
import sys
from datetime import date
from pathlib import Path

from model.data import model_inputs
from model.estimator_scores import scores_of
from model.loaded_columns import plain
from model.train import read_recipe, train

RECIPE = Path("model/recipe.py")
ROWS = 1000


def main(folder: Path, day: date) -> None:
    """pipeline.pickle, and rows.json with pairs of a row and its score, none lacking a value."""
    fitted = train(read_recipe(RECIPE), day).served
    # For the peers, whose documentation uses pickles. Releases have none.
    (folder / "pipeline.pickle").write_bytes(pickle.dumps(fitted.estimator))
    contract = fitted.contract
    names = list(contract.feature_names)
    rows = fitted.split.holdout.dropna(subset=names).head(ROWS)
    scores = scores_of(fitted.estimator, model_inputs(rows, contract), contract).tolist()
    columns = [plain(rows[name]) for name in names]
    pairs = [
        (dict(zip(names, values, strict=True)), score)
        for values, score in zip(zip(*columns, strict=True), scores, strict=True)
    ]
    (folder / "rows.json").write_text(json.dumps(pairs))


if __name__ == "__main__":
    main(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]))

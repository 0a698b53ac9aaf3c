"""Deepchecks' stock suites with their default conditions, on frames: which conditions fail.

    python deepchecks_stock.py CASES.json OUT.json

Both files are described in peer_cases.py. A suite that crashed has failed; a check that crashed in a suite has not.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

os.environ["DISABLE_DEEPCHECKS_ANONYMOUS_TELEMETRY"] = "1"
os.environ["DISABLE_LATEST_VERSION_CHECK"] = "1"
warnings.simplefilter("ignore")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from deepchecks.core import CheckResult, ConditionCategory  # noqa: E402
from deepchecks.tabular import Dataset  # noqa: E402
from deepchecks.tabular.suites import data_integrity, model_evaluation, train_test_validation  # noqa: E402
from deepchecks.utils.logger import set_verbosity  # noqa: E402
from peer_cases import judge_all, parts_of  # noqa: E402

set_verbosity(logging.ERROR)


def _failed(case: dict[str, Any]) -> set[str]:
    parts = parts_of(case)
    train, test = (_dataset(part, case) for part in parts)
    scores: dict[str, Any] = {}
    if "score" in parts[0] and case["task"] == "binary":
        for name, part in zip(("train", "test"), parts, strict=True):
            chance = part["score"].to_numpy()
            scores[f"y_proba_{name}"] = np.column_stack([1 - chance, chance])
            scores[f"y_pred_{name}"] = (chance >= 0.5).astype(int)
        scores["model_classes"] = [0, 1]
    suites = [data_integrity(), train_test_validation(), *([model_evaluation()] if scores else [])]
    failed = set()
    for suite in suites:
        given = scores if suite.name == model_evaluation().name else {}
        try:
            result = suite.run(train, test, with_display=False, **given)
        except Exception as error:
            print(f"    {suite.name}: {type(error).__name__}: {str(error)[:100]}")
            failed.add(f"{suite.name}: crashed: {type(error).__name__}")
            continue
        for each in result.results:
            if isinstance(each, CheckResult):
                failed |= {
                    f"{type(each.check).__name__}: {c.name[:60]}"
                    for c in each.conditions_results
                    if c.category == ConditionCategory.FAIL
                }
    return failed


def _dataset(rows: pd.DataFrame, case: dict[str, Any]) -> Dataset:
    columns = [case["key"], case["time"], *case["numbers"], *case["categories"], case["target"]]
    found = rows[[name for name in columns if name in rows]].copy()
    found[case["time"]] = pd.to_datetime(found[case["time"]], utc=True).dt.tz_localize(None)
    words = [name for name in case["categories"] if name in found]
    for name in words:
        found[name] = found[name].astype(object).where(found[name].notna(), None)
    return Dataset(
        found,
        label=case["target"],
        features=[name for name in (*case["numbers"], *case["categories"]) if name in found],
        cat_features=words,
        datetime_name=case["time"],
        label_type=case["task"],
    )


if __name__ == "__main__":
    judge_all(Path(sys.argv[1]), Path(sys.argv[2]), _failed)

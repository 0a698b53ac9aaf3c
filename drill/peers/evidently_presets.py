"""Evidently's presets with their default tests, on frames: which tests fail.

    python evidently_presets.py CASES.json OUT.json

Both files are described in peer_cases.py.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

os.environ["DO_NOT_TRACK"] = "1"
warnings.simplefilter("ignore")

import pandas as pd  # noqa: E402
from evidently import BinaryClassification, DataDefinition, Dataset, Report  # noqa: E402
from evidently.presets import ClassificationPreset, DataDriftPreset, DataSummaryPreset  # noqa: E402
from peer_cases import judge_all, parts_of  # noqa: E402


def _failed(case: dict[str, Any]) -> set[str]:
    parts = parts_of(case)
    scored = "score" in parts[0] and case["task"] == "binary"
    train, test = (_dataset(part, case, scored) for part in parts)
    presets = [DataDriftPreset(), DataSummaryPreset(), *([ClassificationPreset()] if scored else [])]
    failed = set()
    for preset in presets:
        try:
            run = Report([preset], include_tests=True).run(test, train)
        except Exception as error:
            print(f"    {type(preset).__name__}: {type(error).__name__}: {str(error)[:100]}")
            failed.add(f"{type(preset).__name__}: crashed: {type(error).__name__}")
            continue
        for each in run.dict().get("tests", []):
            status = str(getattr(each["status"], "value", each["status"]))
            if status.upper().endswith("FAIL"):
                failed.add(f"{type(preset).__name__}: {_without_numbers(each['name'])}")
    return failed


def _without_numbers(test: str) -> str:
    """The test's name without the reference's numbers, so that names are the same for all cases."""
    return re.sub(r"-?\d[\d.]*( ± [\d.]+)?", "…", test)


def _dataset(rows: pd.DataFrame, case: dict[str, Any], scored: bool) -> Dataset:
    numbers = [name for name in case["numbers"] if name in rows]
    words = [name for name in case["categories"] if name in rows]
    found = rows[[*numbers, *words, case["target"]]].copy()
    for name in words:
        found[name] = found[name].astype(object).where(found[name].notna(), None)
    more: dict[str, Any] = {}
    if scored:
        found[case["target"]] = found[case["target"]].astype(int)
        found["score"] = rows["score"]
        more["classification"] = [BinaryClassification(target=case["target"], prediction_probas="score", pos_label=1)]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=[*words, case["target"]], **more)
    return Dataset.from_pandas(found, data_definition=definition)


if __name__ == "__main__":
    judge_all(Path(sys.argv[1]), Path(sys.argv[2]), _failed)

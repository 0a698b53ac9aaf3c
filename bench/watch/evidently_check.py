"""Runs in a separate environment: Evidently's preset on one day, against what we computed of it.

    python evidently_check.py DAY.npz

DAY: `reference` (rows, columns), `day` (rows, columns), `ours` (columns,), `numeric` (columns,). Prints the
largest difference.
"""

import sys
import warnings

import numpy as np
import pandas as pd

warnings.simplefilter("ignore")
from evidently import DataDefinition, Dataset, Report  # noqa: E402
from evidently.presets import DataDriftPreset  # noqa: E402


def main(source: str) -> None:
    """The preset with its defaults."""
    arrays = np.load(source)
    names = [f"c{n}" for n in range(len(arrays["ours"]))]
    numbers = [n for n, number in zip(names, arrays["numeric"], strict=True) if number]
    others = [n for n in names if n not in numbers]
    frames = [pd.DataFrame(arrays[part], columns=names) for part in ("reference", "day")]
    frames = [frame.astype(dict.fromkeys(others, str)) for frame in frames]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=others)
    sets = [Dataset.from_pandas(frame, data_definition=definition) for frame in frames]
    snapshot = Report([DataDriftPreset()]).run(sets[1], sets[0])
    found = {}
    for metric in snapshot.dict()["metrics"]:
        column = metric.get("config", {}).get("column") or metric["metric_name"]
        for name in names:
            if column == name or f"column={name}," in str(column) or f"column={name})" in str(column):
                found[name] = float(metric["value"])
    apart = [abs(found[name] - ours) for name, ours in zip(names, arrays["ours"], strict=True) if name in found]
    print(f"{len(apart)} of {len(names)} columns compared; largest difference {max(apart):.2g}")


main(sys.argv[1])

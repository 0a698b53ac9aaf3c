"""The catalogue of faults, by family."""

from drill.fault import Fault
from drill.faults import (
    data_faults,
    export_faults,
    label_faults,
    leakage_faults,
    lookahead_faults,
    mistaken_value_faults,
    model_faults,
    noisy_label_faults,
    overwritten_faults,
    pipeline_faults,
    population_faults,
    process_faults,
    small_change_faults,
)

FAMILIES: dict[str, tuple[Fault, ...]] = {
    "leakage": leakage_faults.FAULTS + lookahead_faults.FAULTS + overwritten_faults.FAULTS,
    "labels": label_faults.FAULTS + noisy_label_faults.FAULTS,
    "data": data_faults.FAULTS + small_change_faults.FAULTS + mistaken_value_faults.FAULTS,
    "rows": population_faults.FAULTS,
    "model": model_faults.FAULTS,
    "export": export_faults.FAULTS,
    "process": process_faults.FAULTS,
    "pipeline": pipeline_faults.FAULTS,
}

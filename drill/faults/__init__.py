"""The catalogue of faults, by family."""

from drill.fault import Fault
from drill.faults import data_faults, export_faults, label_faults, leakage_faults, model_faults, process_faults

FAMILIES: dict[str, tuple[Fault, ...]] = {
    "leakage": leakage_faults.FAULTS,
    "labels": label_faults.FAULTS,
    "data": data_faults.FAULTS,
    "model": model_faults.FAULTS,
    "export": export_faults.FAULTS,
    "process": process_faults.FAULTS,
}

"""The catalogue, by family."""

from drill.fault import Fault
from drill.faults import data, export, labels, leakage, model, process

FAMILIES: dict[str, tuple[Fault, ...]] = {
    "leakage": leakage.FAULTS,
    "labels": labels.FAULTS,
    "data": data.FAULTS,
    "model": model.FAULTS,
    "export": export.FAULTS,
    "process": process.FAULTS,
}

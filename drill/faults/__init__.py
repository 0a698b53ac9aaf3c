"""The catalogue, by family."""

from drill.fault import Fault
from drill.faults import data_faults as data
from drill.faults import export_faults as export
from drill.faults import label_faults as labels
from drill.faults import leakage_faults as leakage
from drill.faults import model_faults as model
from drill.faults import process_faults as process

FAMILIES: dict[str, tuple[Fault, ...]] = {
    "leakage": leakage.FAULTS,
    "labels": labels.FAULTS,
    "data": data.FAULTS,
    "model": model.FAULTS,
    "export": export.FAULTS,
    "process": process.FAULTS,
}

"""What is found without Deepchecks and without a champion: is this a bundle to judge at all?"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from checks.comparison.bootstrap import Blocks, measures
from checks.evidence import Evidence
from checks.verdict import Finding
from contracts.thresholds import Gate
from serve.release.bundle import Bundle


def soundness(evidence: Evidence, candidate: Bundle, quarantine: Collection[str], gate: Gate) -> list[Finding]:
    """Findings on the bundle's bytes, its fresh rows, and whether its probabilities are any.

    *quarantine* holds the digests of what was rolled back, of bundles and of model files.
    """
    fresh, contract = int(evidence.fresh.sum()), evidence.contract
    model = candidate.manifest["files"]["model.onnx"]
    known = sorted({candidate.digest, model} & set(quarantine))
    found = [
        Finding(
            "bundle.scores",
            "PASS" if evidence.stored_scores_agree else "FAIL",
            "the ONNX file gives the scores that its evidence holds"
            if evidence.stored_scores_agree
            else "the ONNX file does not give the scores that its evidence holds",
            "the same scores",
            "What was measured must be what is served.",
        ),
        Finding(
            "bundle.quarantine",
            "FAIL" if known else "PASS",
            f"these bytes were rolled back before ({known[0][:19]}…)" if known else "never rolled back",
            "not in quarantine",
            "A model that somebody took off must not come back unseen.",
        ),
        Finding(
            "data.fresh_rows",
            "PASS" if fresh >= gate.min_fresh_rows else "FAIL",
            f"{fresh:,} rows that neither model learnt from{_sampled(evidence, candidate)}",
            f"at least {gate.min_fresh_rows:,}",
            "On few rows, chance decides.",
        ),
    ]
    if contract.task != "regression":
        off, error = _calibration_error(evidence, gate)
        found.append(
            Finding(
                "model.calibration",
                "PASS" if off - 2 * error <= gate.model.max_calibration_error else "FAIL",
                f"{off:.3f} mean distance of predicted from observed"
                f" (days differ: {2 * error:.3f} more or less would be chance)",
                f"at most {gate.model.max_calibration_error:g}",
                "Who acts on a probability needs it to be one.",
                gate.model.severity,
            )
        )
    return found


def _calibration_error(evidence: Evidence, gate: Gate) -> tuple[float, float]:
    """In ten bins (Naeini et al. 2015), and its standard error when whole days are drawn: a stormy week is no fault."""
    (measure,) = measures("ece", evidence.truth, evidence.holdout_scores)
    rules = gate.compare
    blocks = Blocks(evidence.day_codes, evidence.key_codes, rules.draws, rules.seed)
    return float(measure()), float(np.std(measure.drawn(blocks.day, blocks.times)))


def _sampled(evidence: Evidence, candidate: Bundle) -> str:
    """What to add where a bundle's evidence holds a sample of its rows only."""
    parts = (("learnt from", "train", evidence.train), ("held back", "holdout", evidence.holdout))
    told = []
    for name, part, rows in parts:
        whole = candidate.manifest["data"][part]["rows"]
        if len(rows) < whole:
            told.append(f"{len(rows):,} of {whole:,} rows {name}")
    return f" (the evidence is a sample: {', '.join(told)})" if told else ""

"""What verdict.json holds. Keys are an interface: landing, reports and the drill read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from checks.gate_inputs import GateInputs, named
from checks.insights.review import Review
from checks.measurements import Comparison, Measurements
from checks.verdict import Verdict, rules_changed
from checks.waivers import waived
from model.notices import recorded


def verdict_json(inputs: GateInputs, verdict: Verdict, measured: Measurements | None) -> dict[str, Any]:
    """The JSON object; *measured* is None for a candidate that was not loaded."""
    comparison = measured.comparison if measured else Comparison()
    review = measured.review if measured else Review(None, (), (), (), ())
    champion = named(inputs.champion) if inputs.champion else None
    more = {
        "anchor": asdict(inputs.anchor_slot) if inputs.anchor_slot else None,
        "fresh_rows": measured.fresh_rows if measured else 0,
        "looks": measured.earlier_uses if measured else {},
        "churn": comparison.churn,
        **({"unknown_outcomes": comparison.late.to_json()} if comparison.late else {}),
        **(
            {"second_looks": [each.to_json() for each in measured.again.looks]}
            if measured and measured.again.looks
            else {}
        ),
        "head": inputs.head,
        "rules_changed": rules_changed(inputs.files),
        "waived": waived(verdict.findings),
        "metrics": [_finite(asdict(row)) for row in comparison.table],
        "slices": comparison.slices,
        "remarks": recorded(inputs.candidate.manifest),
        **review.to_json(),
    }
    return verdict.to_json(named(inputs.candidate), champion, more)


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values for JSON: what could not be measured is null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in values.items()
    }

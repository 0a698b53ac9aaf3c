"""A bundle's model card as Hugging Face reads it: README.md of a model's repository, with its metadata at the top.

The format: https://huggingface.co/docs/hub/model-cards. No licence is written, since it is the owner's to choose.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from model.proposals.card import card

#: Our metrics by the names of the `evaluate` library, where it has them.
_NAMES = {"mae": "mae", "rmse": "rmse", "r2": "r_squared", "roc_auc": "roc_auc", "brier": "brier_score"}


def model_card(manifest: Mapping[str, Any]) -> str:
    """The card of the model with this *manifest*, behind its metadata as YAML."""
    contract, holdout = manifest["contract"], manifest["data"]["holdout"]
    kind = "tabular-regression" if manifest["task"] == "regression" else "tabular-classification"
    data = f"{holdout['rows']} rows from {holdout['start']} to {holdout['end']}"
    lines = [
        "---",
        "library_name: onnx",
        f"pipeline_tag: {kind}",
        "tags:",
        *(f"- {tag}" for tag in (kind, "onnx", "tidegate")),
        "model-index:",
        f"- name: {_text(contract['name'])}",
        "  results:",
        "  - task:",
        f"      type: {kind}",
        "    dataset:",
        f"      type: {_text(contract['name'])}",
        f"      name: {_text('out-of-time holdout: ' + data)}",
        "    metrics:",
    ]
    for name, value in manifest["metrics"]["holdout"].items():
        lines += [f"    - type: {_NAMES.get(name, name)}", f"      name: {name}", f"      value: {value}"]
    return "\n".join([*lines, "---", "", f"# {contract['name']} {manifest['version']}", "", card(manifest)])


def _text(value: str) -> str:
    """*value* as a quoted string: one of JSON is one of YAML."""
    return json.dumps(value, ensure_ascii=False)

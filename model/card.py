"""What a proposal says of a bundle, from manifests alone: its title, its card, whether it is worth one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model.notices import HEADING, recorded
from reporting.markdown import bullets, text


def title(manifest: Mapping[str, Any]) -> str:
    """The proposal's title: which model, which version."""
    return f"{manifest['contract']['name']}: model {manifest['version']}"


def nothing_to_gain(candidate: Mapping[str, Any], live: Mapping[str, Any] | None) -> str:
    """Why a candidate is not worth a proposal, from both manifests; "" if it may be."""
    if live is None:
        return ""
    if candidate["digest"] == live["digest"]:
        return f"the candidate is {live['version']}, which is live, byte for byte"
    same = all(_made_from(candidate)[key] == value for key, value in _made_from(live).items())
    return f"there is no new data since {live['version']}, which is live" if same else ""


def _made_from(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "data": manifest["data"]["fingerprint"],
        "recipe": manifest["recipe"]["sha256"],
        "libraries": manifest["build"]["libraries"],
    }


def card(manifest: Mapping[str, Any]) -> str:
    """What was predicted, learnt from what, and how it did on rows it had not seen."""
    contract, data, build = manifest["contract"], manifest["data"], manifest["build"]
    train, holdout = data["train"], data["holdout"]
    measured = manifest["metrics"]["holdout"].items()
    rows = "\n".join(f"| {name} | {value:.4f} |" for name, value in measured)
    features = ", ".join(f"`{feature['name']}`" for feature in contract["features"])
    libraries = ", ".join(f"{name} {version}" for name, version in build["libraries"].items())
    remarks = bullets(HEADING, recorded(manifest), whole="manifest.json")
    return f"""\
**{text(contract["name"])}** ({manifest["task"]}): {text(contract["description"])}

| | rows | from | to |
|---|---:|---|---|
| learnt from | {train["rows"]:,} | {train["start"]} | {train["end"]} |
| held back to judge with | {holdout["rows"]:,} | {holdout["start"]} | {holdout["end"]} |

| on the rows held back | |
|---|---:|
{rows}

{remarks + chr(10) * 2 if remarks else ""}Features ({len(contract["features"])}): {features}

The ONNX file gives the estimator's scores on {manifest["parity"]["rows"]:,} rows, the worst apart by
{manifest["parity"]["worst"]:g} (allowed {manifest["parity"]["limit"]:g}).

<details><summary>How it was made</summary>

Recipe `{text(manifest["recipe"]["file"])}` ({manifest["recipe"]["sha256"][:19]}…), commit
`{text(build["commit"])}`, {build["made_at"]}, Python {build["python"]}, {libraries}.
Bundle `{manifest["digest"]}`.
</details>
"""

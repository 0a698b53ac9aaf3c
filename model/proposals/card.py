"""A proposal's title and model card, and whether a bundle is worth a proposal; by manifests alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.bundle_content import trained_until
from model.notices import HEADING, recorded
from reporting.markdown import bullets, text


def title(manifest: Mapping[str, Any]) -> str:
    """The proposal's title: model and version."""
    return f"{manifest['contract']['name']}: model {manifest['version']}"


def nothing_to_gain(candidate: Mapping[str, Any], live: Mapping[str, Any] | None) -> str:
    """Why a candidate is not worth a proposal, from both manifests; "" if it may be."""
    if live is None:
        return ""
    if candidate["digest"] == live["digest"]:
        return f"the candidate has the same content as {live['version']}, which is live"
    same = all(_made_from(candidate)[key] == value for key, value in _made_from(live).items())
    return f"there is no new data since {live['version']}, which is live" if same else ""


def _agreement(manifest: Mapping[str, Any]) -> str:
    """The comparison of ONNX and estimator; with two models, that which differs most."""
    both = [manifest["parity"], *([manifest["evaluation"]["parity"]] if "evaluation" in manifest else [])]
    worst, rows = max(each["worst"] for each in both), sum(each["rows"] for each in both)
    models = " of both models" if len(both) > 1 else ""
    return (
        f"ONNX and estimator{models} agree on {rows:,} rows; the largest difference of a score is {worst:g}"
        f" (limit {both[0]['limit']:g})."
    )


def _release_row(release: Mapping[str, Any] | None) -> str:
    if not release:
        return ""
    return f"| release model, which is served, trained on | {release['rows']:,} | {release['start']} | {release['end']} |\n"


def _made_from(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "data": manifest["data"]["fingerprint"],
        "until": trained_until(manifest),
        "recipe": manifest["recipe"]["sha256"],
        "libraries": manifest["build"]["libraries"],
    }


def card(manifest: Mapping[str, Any]) -> str:
    """The model card: target, training window, holdout, metrics on the holdout, features and build."""
    contract, data, build = manifest["contract"], manifest["data"], manifest["build"]
    train, holdout, release = data["train"], data["holdout"], manifest.get("release")
    measured = manifest["metrics"]["holdout"].items()
    rows = "\n".join(f"| {name} | {value:.4f} |" for name, value in measured)
    features = ", ".join(f"`{feature['name']}`" for feature in contract["features"])
    libraries = ", ".join(f"{name} {version}" for name, version in build["libraries"].items())
    remarks = bullets(HEADING, recorded(manifest), whole="manifest.json")
    return f"""\
**{text(contract["name"])}** ({manifest["task"]}): {text(contract["description"])}

| | rows | from | to |
|---|---:|---|---|
| {"evaluation model, which was judged, trained on" if release else "trained on"} | {train["rows"]:,} | {train["start"]} | {train["end"]} |
| holdout | {holdout["rows"]:,} | {holdout["start"]} | {holdout["end"]} |
{_release_row(release)}
| on the holdout | |
|---|---:|
{rows}

{remarks + chr(10) * 2 if remarks else ""}Features ({len(contract["features"])}): {features}

{_agreement(manifest)}

<details><summary>Build</summary>

Recipe `{text(manifest["recipe"]["file"])}` ({manifest["recipe"]["sha256"][:19]}…), commit
`{text(build["commit"])}`, {build["made_at"]}, Python {build["python"]}, {libraries}.
Bundle `{manifest["digest"]}`.
</details>
"""

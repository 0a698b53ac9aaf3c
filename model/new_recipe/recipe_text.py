"""The text of a recipe, from a draft."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from model.features.recipe_syntax import literal
from model.new_recipe.recipe_draft import Draft, DraftFeature

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=False,  # noqa: S701 -- Python, not HTML; values are written by repr
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def recipe_text(found: Draft) -> str:
    """A module with `CONTRACT`, `window`, `load` and `estimator`, and comments on what to look over."""
    estimator = "HistGradientBoostingRegressor" if found.task == "regression" else "HistGradientBoostingClassifier"
    return _TEMPLATES.get_template("recipe.py.jinja").render(
        draft=found,
        estimator=estimator,
        features=[_declared(each) for each in found.features],
        categories=[each.name for each in found.features if each.kind == "category"],
        literal=literal,
        one_line=_one_line,
        key=found.key or "row",
        time_column=found.time_column,
    )


def described(found: Draft) -> list[str]:
    """What was decided, for a person to correct."""
    classes = f" ({', '.join(map(str, found.classes))})" if found.classes else ""
    lines = [
        f"target: {found.target}, {found.task}{classes}",
        f"time: {found.time}, times without a zone are {found.zone or 'UTC'}",
        f"key: {found.key or 'none, each row is one'}",
        f"features: {', '.join(each.name for each in found.features)}",
        *(f"left out: {name}: {why}" for name, why in found.left.items()),
        f"training window: {found.window.days} days, the last {found.holdout.days} of them the holdout",
    ]
    if found.without_target:
        lines.append(f"{found.without_target:,} rows without a target or a time are left out")
    return lines


def plain_name(table: str) -> str:
    """A model's name from that of its *table*."""
    stem = re.sub(r"(\.\w+)+$", "", table.rstrip("/").replace("\\", "/").rpartition("/")[2])
    return re.sub(r"\W+", "-", stem).strip("-").lower() or "model"


def _declared(feature: DraftFeature) -> dict[str, str]:
    parts = [literal(feature.name), literal(feature.kind)]
    if feature.kind == "number":
        parts += [f"minimum={feature.minimum:g}", f"maximum={feature.maximum:g}"]
    if feature.nullable:
        parts.append("nullable=True")
    return {"code": f"Feature({', '.join(parts)}),", "remark": _one_line(feature.remark)}


def _one_line(text: str) -> str:
    """*text* as a comment: a name or value of the table may hold line breaks."""
    return " ".join(text.split())

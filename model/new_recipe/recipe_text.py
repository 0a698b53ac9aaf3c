"""The text of a recipe, from a draft."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from model.features.recipe_syntax import literal
from model.new_recipe.draft_features import DraftFeature
from model.new_recipe.recipe_draft import HOLDOUT_ROWS, Draft

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
        key=found.key or found.row,
        time_column=found.time_column,
        target_column=next((k for k, v in found.renamed.items() if v == found.target), found.target),
        known_at=_known_at(found),
        ambiguous=bool(found.zone and (found.local or (found.outcomes.read and found.outcomes.read.local))),
        in_utc=lambda name: _in_utc(name, found.zone),
    )


def described(found: Draft) -> list[str]:
    """What was decided, for a person to correct."""
    classes = f" ({', '.join(map(str, found.classes))})" if found.classes else ""
    lines = [
        f"target: {found.target}, {found.task}{classes}",
        f"time: {found.time}, times without a zone are {found.zone or 'UTC'}",
        f"key: {found.key or 'none, each row is one'}",
        f"outcomes are known: {_known(found)}",
        f"features: {', '.join(each.name for each in found.features)}",
        *(f"left out: {name}: {why}" for name, why in found.left.items()),
        *(f"look over: {each.name}: {_one_line(each.remark)}" for each in found.features if "leak.solo" in each.remark),
        f"training window: {found.window.days} days, the last {found.holdout.days} of them the holdout",
    ]
    if found.holdout_rows < HOLDOUT_ROWS:
        lines.append(
            f"the holdout has about {found.holdout_rows:,} rows: the gate rejects a model with fewer than min_fresh_rows in"
            " checks/thresholds.toml, since chance decides a comparison on few rows; add rows, or lower that limit"
        )
    if found.without_target:
        lacking = "a time" if found.outcomes.come_late else "a target or a time"
        lines.append(f"{found.without_target:,} rows without {lacking} are left out")
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


def _known(found: Draft) -> str:
    outcomes = found.outcomes
    if outcomes.days:
        return f"{outcomes.days} days after the event"
    return (
        f"at the time in {outcomes.column}"
        if outcomes.column
        else "at once; else type --known-at with a column or days"
    )


def _known_at(found: Draft) -> str:
    """The target's argument that says when an outcome is known."""
    if found.outcomes.days:
        return f", maturity=timedelta(days={found.outcomes.days})"
    column = found.outcomes.column
    return f", known_at={literal(found.renamed.get(column, column))}" if column else ""


def _in_utc(name: str, zone: str) -> str:
    """An expression for the local times in the variable *name*, in UTC."""
    if not zone:
        return f"{name}.dt.tz_localize(UTC)"
    local = f'{name}.dt.tz_localize({literal(zone)}, ambiguous=winter, nonexistent="shift_forward")'
    return f"{local}.dt.tz_convert(UTC)"


def _one_line(text: str) -> str:
    """*text* as a comment: a name or value of the table may hold line breaks."""
    return " ".join(text.split())

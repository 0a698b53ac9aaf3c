"""checks/thresholds.toml -> `Rules`: every limit, for export, gate, landing and monitoring.

pydantic checks the values; all problems of the file are reported at once.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from contracts.comparison_limits import Margins, margins_of
from contracts.gate_limits import (
    Behaviour,
    Changes,
    Compatibility,
    Data,
    Decay,
    Drift,
    Labels,
    Leakage,
    Model,
    ReleaseModel,
    Rows,
    Serving,
    Upstream,
)
from contracts.limit_types import Count, Draws, Number, Probability, Severity, Table, unknown
from contracts.monitoring_limits import Incident, Monitoring
from contracts.release_policy import Experiment, Land, Release, Rollback


class ConfigurationError(Exception):
    """The rules cannot be used. The message lists every problem with its place in the file."""


@dataclass(frozen=True)
class Export(Table):
    """`[export]`."""

    parity: Number


@dataclass(frozen=True)
class Calibration(Table):
    """`[gate.calibration]`: how much worse than the champion's the calibration may be."""

    ece: Number
    brier: Number
    mean: Number
    severity: Severity = "block"


@dataclass(frozen=True)
class Slices(Table):
    """`[gate.slices]`: slices must not lose more than *margin* times the primary metric's margin."""

    min_rows: Count
    margin: Number
    max_found: Count
    severity: Severity = "block"


@dataclass(frozen=True)
class Compare(Table):
    """`[gate.compare]`: how candidate, champion and anchor are compared, and what lands a candidate."""

    confidence: Probability
    draws: Draws
    seed: Count
    min_days: Annotated[int, Field(strict=True, ge=2, le=10**9)]
    binary: Annotated[Margins, margins_of("binary")]
    multiclass: Annotated[Margins, margins_of("multiclass")]
    regression: Annotated[Margins, margins_of("regression")]
    decide: Literal["expected", "proven"] = "expected"
    max_risk: Probability = 0.1
    first: Literal["land", "hold"] = "land"

    def margins(self, task: str) -> Margins:
        """The margins of a *task*."""
        found: Margins = getattr(self, task)
        return found


@dataclass(frozen=True)
class Gate(Table):
    """`[gate]`: every limit of the gate."""

    min_fresh_rows: Count
    max_looks: Count
    max_rows: Count
    data: Data
    leakage: Leakage
    labels: Labels
    rows: Rows
    changes: Changes
    behaviour: Behaviour
    release: ReleaseModel
    drift: Drift
    model: Model
    contract: Compatibility
    serving: Serving
    upstream: Upstream
    compare: Compare
    calibration: Calibration
    slices: Slices
    decay: Decay

    @model_validator(mode="after")
    def _agrees(self) -> Gate:
        if self.max_rows < self.min_fresh_rows:
            raise ValueError(f"max_rows is {self.max_rows}; expected at least min_fresh_rows ({self.min_fresh_rows})")
        return self


@dataclass(frozen=True)
class Rules(Table):
    """All of thresholds.toml."""

    export: Export
    release: Release
    land: Land
    gate: Gate
    monitoring: Monitoring
    experiment: Experiment
    rollback: Rollback
    incident: Incident


def read_rules(path: Path) -> Rules:
    """The rules in the file *path*. Raises `ConfigurationError`."""
    return rules_of(read_tables(path), str(path))


def read_tables(path: Path) -> dict[str, Any]:
    """The tables of the file *path*, not validated yet. Raises `ConfigurationError`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error


def rules_of(tables: Mapping[str, Any], source: str) -> Rules:
    """The rules in *tables*, which errors call *source*. Raises `ConfigurationError` with all problems."""
    try:
        rules: Rules = TypeAdapter(Rules).validate_python(tables)
    except ValidationError as error:
        problems = [line for each in error.errors() for line in _problems(each)]
        raise ConfigurationError(f"{source}:\n" + "\n".join(f"  - {problem}" for problem in problems)) from error
    return rules


def _problems(error: Mapping[str, Any]) -> Iterator[str]:
    """What an *error* of pydantic says, with the place in the file first."""
    names = [str(each) for each in error["loc"] if isinstance(each, str) and each != "margins"]
    place, context, value = ".".join(names), error.get("ctx", {}), error["input"]
    match error["type"]:
        case "missing":
            yield f"{place} is missing"
        case "unexpected_keyword_argument":
            yield f"{'.'.join(names[:-1])}: ".removeprefix(": ") + unknown(names[-1], _names(names[:-1]))
        case "value_error":
            yield from (f"{place}: {line}" for line in str(context["error"]).split("\n"))
        case kind:
            choices = re.findall(r"'(\w+)'", context["expected"]) if kind == "literal_error" else []
            close = get_close_matches(value, choices, n=1) if isinstance(value, str) else []
            hint = f"; did you mean {close[0]}?" if close else ""
            yield f"{place} is {_shown(value)}; expected {_expected(kind, context, place)}{hint}"


def _shown(value: Any) -> str:
    """*value* as the file has it, shortened."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _expected(kind: str, context: Mapping[str, Any], place: str) -> str:
    if kind == "less_than_equal" and context["le"] == 1:
        return "a share, from 0 to 1"
    return {
        "literal_error": f"one of {context.get('expected', '')}",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "float_type": "a number",
        "greater_than": f"more than {context.get('gt')}",
        "greater_than_equal": f"{context.get('ge', 0):g} or more",
        "less_than": f"less than {context.get('lt')}",
        "less_than_equal": f"{context.get('le', 0):,.0f} or less",
        "dataclass_type": f"a table [{place}]",
        "string_type": "a text",
        "tuple_type": "a list",
        "mapping_type": "a table of margins",
    }.get(kind, kind)


def _names(place: list[str]) -> list[str]:
    """The names that the table at *place* may have."""
    kind: Any = Rules
    for name in place:
        kind = get_type_hints(kind)[name]
    return [field.name for field in fields(kind)]

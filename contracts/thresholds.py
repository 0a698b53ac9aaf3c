"""thresholds.toml -> Rules. Everything that is wrong with the file is said at once.

The standard library alone, since export, gate and watch read it in environments of their own.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from contracts.comparison_limits import Margins, parse_combination
from contracts.gate_limits import Behaviour, Compatibility, Data, Drift, Labels, Leakage, Model, Rows, Serving, Upstream
from contracts.gate_limits import Severity as Severity  # noqa: PLC0414 -- known from here
from contracts.monitoring_limits import SIGNALS, Incident, Monitoring, unwatchable
from contracts.release_policy import Experiment, Land, Measures, Rollback, contradictions, parse_measures

#: The metrics that can be compared, by task. Larger is better for those in `LARGER_IS_BETTER`.
METRICS = {
    "binary": ("log_loss", "roc_auc", "brier"),
    "multiclass": ("log_loss", "accuracy"),
    "regression": ("mae", "rmse"),
}
LARGER_IS_BETTER = frozenset({"roc_auc", "accuracy"})


class ConfigurationError(Exception):
    """The rules cannot be used. The message lists every mistake, each with its place."""


@dataclass(frozen=True)
class Export:
    """Limits of the export."""

    parity: float


@dataclass(frozen=True)
class Calibration:
    """How much worse than the champion's a calibration may be."""

    ece: float
    brier: float
    mean: float
    severity: Severity = "block"


@dataclass(frozen=True)
class Slices:
    """What slices must not lose; *margin* is so many times the primary metric's."""

    min_rows: int
    margin: float
    max_found: int
    severity: Severity = "block"


@dataclass(frozen=True)
class Compare:
    """How candidate, champion and anchor are compared."""

    confidence: float
    draws: int
    seed: int
    min_days: int
    binary: Margins
    multiclass: Margins
    regression: Margins

    def margins(self, task: str) -> Margins:
        """The margins of a *task*."""
        found: Margins = getattr(self, task)
        return found


@dataclass(frozen=True)
class Gate:
    """Every limit of the gate."""

    min_fresh_rows: int
    max_looks: int
    max_rows: int
    data: Data
    leakage: Leakage
    labels: Labels
    rows: Rows
    behaviour: Behaviour
    drift: Drift
    model: Model
    contract: Compatibility
    serving: Serving
    upstream: Upstream
    compare: Compare
    calibration: Calibration
    slices: Slices


@dataclass(frozen=True)
class Rules:
    """All of thresholds.toml."""

    export: Export
    land: Land
    gate: Gate
    monitoring: Monitoring
    experiment: Experiment
    rollback: Rollback
    incident: Incident


def read_rules(path: Path) -> Rules:
    """The rules in the file *path*. Raises `ConfigurationError`."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    problems: list[str] = []
    rules = _table(Rules, tables, "", problems)
    if not problems:
        problems += [*_contradictions(rules), *contradictions(rules.experiment)]
    if problems:
        raise ConfigurationError(f"{path}:\n" + "\n".join(f"  - {problem}" for problem in problems))
    found: Rules = rules
    return found


def _table(kind: Any, table: Any, place: str, problems: list[str]) -> Any:
    """An instance of the dataclass *kind* from *table*, or None with the reasons in *problems*."""
    if not isinstance(table, dict):
        problems.append(f"{place} is {table!r}; expected a table [{place}]")
        return None
    if kind in (Margins, Measures):
        return (_margins if kind is Margins else parse_measures)(table, place, problems)
    hints, known = get_type_hints(kind), {field.name: field for field in fields(kind)}
    problems += [_unknown(f"{place}.{name}".strip("."), name, known) for name in table if name not in known]
    values = {}
    before = len(problems)
    for name, field in known.items():
        where = f"{place}.{name}".strip(".")
        if name not in table:
            if field.default is MISSING:
                problems.append(f"{where} is missing")
        elif is_dataclass(hints[name]):
            values[name] = _table(hints[name], table[name], where, problems)
        else:
            values[name] = _value(hints[name], table[name], where, problems)
    return kind(**values) if len(problems) == before else None


def _value(hint: Any, value: Any, where: str, problems: list[str]) -> Any:
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        if value not in choices:
            problems.append(f"{where} is {value!r}; expected one of {', '.join(choices)}")
        return value
    if get_origin(hint) is tuple:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            problems.append(f"{where} is {value!r}; expected a list of strings")
            return ()
        problems += [_unknown(f"{where}: {item!r}", item, SIGNALS) for item in value if item not in SIGNALS]
        return tuple(value)
    if isinstance(value, bool) or not isinstance(value, int if hint is int else (int, float)):
        what = "a whole number" if hint is int else "a number"
        problems.append(f"{where} is {value!r}; expected {what}")
    elif not 0 <= value <= 1e9:
        problems.append(f"{where} is {value!r}; expected 0 or more")
    elif where.rpartition(".")[2].startswith("max_") and hint is float and value > 1:
        problems.append(f"{where} is {value!r}; expected a share, from 0 to 1")
    return value


def _margins(table: Mapping[str, Any], place: str, problems: list[str]) -> Margins:
    metrics = METRICS[place.rpartition(".")[2]]
    words = {"primary", "anchor", "superior", "require"}
    margins = {name: value for name, value in table.items() if name not in words}
    anchor, superior, require = (table.get(name) for name in ("anchor", "superior", "require"))
    for name, value in margins.items():
        if name not in metrics:
            problems.append(_unknown(f"{place}.{name}", name, metrics))
        else:
            _value(float, value, f"{place}.{name}", problems)
    if not isinstance(anchor, dict) or anchor.keys() - margins.keys() or not anchor:
        problems.append(
            f"{place}.anchor is {anchor!r}; expected margins of metrics that have one there, such as"
            f" {{ {', '.join(f'{name} = {value!r}' for name, value in margins.items())} }}"
        )
        anchor = {}
    for name, value in anchor.items():
        _value(float, value, f"{place}.anchor.{name}", problems)
    if not isinstance(superior, list) or any(name not in margins for name in superior):
        problems.append(f"{place}.superior is {superior!r}; expected a list of metrics with a margin there")
        superior = []
    if not isinstance(require, list):
        problems.append(f"{place}.require is {require!r}; expected a list of combinations")
        require = []
    found = [parse_combination(words, list(margins)) for words in require]
    problems += [f"{place}.require {wrong}" for wrong in found if isinstance(wrong, str)]
    primary = table.get("primary")
    if primary not in margins:
        problems.append(f"{place}.primary is {primary!r}; expected one of the metrics with a margin there")
    combinations = tuple(each for each in found if not isinstance(each, str))
    made = Margins(str(primary), margins, anchor, tuple(superior), combinations)
    if made.is_free(made.primary):
        problems.append(f"{place}.require takes in the primary {primary}; that one must hold alone")
    return made


def _contradictions(rules: Rules) -> Iterable[str]:
    if not 0 < rules.gate.compare.confidence < 1:
        yield f"gate.compare.confidence is {rules.gate.compare.confidence}; expected between 0 and 1"
    if rules.gate.compare.draws < 100:
        yield f"gate.compare.draws is {rules.gate.compare.draws}; expected at least 100"
    if rules.gate.compare.min_days < 2:
        yield f"gate.compare.min_days is {rules.gate.compare.min_days}; expected at least 2"
    if rules.gate.max_rows < rules.gate.min_fresh_rows:
        yield f"gate.max_rows is {rules.gate.max_rows}, below gate.min_fresh_rows of {rules.gate.min_fresh_rows}"
    yield from unwatchable(rules.monitoring, rules.incident)


def _unknown(where: str, name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]}?" if close else "."
    return f"{where} is not a rule{hint} Rules there are: {', '.join(known)}"

"""The types of the values in thresholds.toml, and what a problem with one of them says."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

Number = Annotated[float, Field(strict=True, ge=0, le=1e9)]
Positive = Annotated[float, Field(strict=True, gt=0, le=1e9)]
#: A share, from 0 to 1.
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
#: A probability that is neither 0 nor 1.
Probability = Annotated[float, Field(strict=True, gt=0, lt=1)]
Count = Annotated[int, Field(strict=True, ge=0, le=10**9)]
AtLeastOne = Annotated[int, Field(strict=True, ge=1, le=10**9)]
#: Repetitions of a simulation.
Draws = Annotated[int, Field(strict=True, ge=100, le=10**9)]
#: What a rule that fails does: "block" rejects the model, "hold" keeps the champion for now, "warn" only reports.
Severity = Literal["block", "hold", "warn"]


class Table:
    """A table of the file. A dataclass; pydantic checks the values where the file is read, and refuses other names."""

    __pydantic_config__ = ConfigDict(extra="forbid")


def with_margins(value: Any, metrics: Iterable[str], words: Iterable[str]) -> Any:
    """A table that has metrics beside the names *words*: the metrics' values become `margins`."""
    if not isinstance(value, Mapping):
        return value
    found: dict[str, Any] = {name: value[name] for name in words if name in value}
    margins = {name: each for name, each in value.items() if name not in found}
    return found | {"margins": margins, "known": tuple(metrics)}


def unknown(name: str, known: Iterable[str]) -> str:
    """That *name* is not one of *known*, and which may be meant."""
    known = [*known]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{name} is not known; {hint}Expected one of {', '.join(known)}"

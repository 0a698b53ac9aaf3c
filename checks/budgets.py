"""What a model may cost and refuse, and what counts as a change of its source: tables of thresholds.toml.

The standard library alone, as `checks.rules`, which reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: As in `checks.rules`, which imports this module.
Severity = Literal["block", "warn"]


@dataclass(frozen=True)
class Compatibility:
    """What it is to refuse rows that a website sends today."""

    severity: Severity = "block"


@dataclass(frozen=True)
class Serving:
    """Limits of the real server: how long it is asked, and how much more than the champion's it may take.

    Below *fast* seconds, *small* bytes of model and *light* bytes of memory nothing is too much.
    """

    seconds: float
    fast: float
    latency_ratio: float
    small: int
    size_ratio: float
    light: int
    memory_ratio: float
    severity: Severity = "block"


@dataclass(frozen=True)
class Upstream:
    """What counts as a change of the source, and which changes block."""

    missing_rise: float
    category_share: float
    sentinel_share: float
    horizon_days: int
    units: Severity
    stopped: Severity
    severity: Severity = "warn"

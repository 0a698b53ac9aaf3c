"""The gate's tables of thresholds.toml, but for those of the comparison.

The standard library alone, as `contracts.thresholds`, which reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["block", "warn"]


@dataclass(frozen=True)
class Data:
    """Limits of data integrity; shares of rows, or of a feature's values."""

    max_missing: float
    max_duplicates: float
    max_variants: float
    max_mixed_types: float
    max_label_correlation: float
    max_time_overlap: float
    severity: Severity = "block"


@dataclass(frozen=True)
class Leakage:
    """Limits of what a model may know."""

    max_solo: float
    max_new: float
    max_split_copies: float
    severity: Severity = "block"


@dataclass(frozen=True)
class Labels:
    """Limits of the outcomes."""

    max_fall: float
    min_class: float
    severity: Severity = "block"


@dataclass(frozen=True)
class Rows:
    """Limits between the rows learnt from, those the champion learnt from, and those to judge with."""

    max_rewritten: float
    max_lost: float
    max_missing_jump: float
    max_sentinel: float
    max_frozen: float
    max_repeated: float
    min_rate: float
    max_stale_days: int
    max_clock: float
    severity: Severity = "block"


@dataclass(frozen=True)
class Behaviour:
    """Limits of how the bundle behaves."""

    min_spread: float
    max_unstable: float
    max_against: float
    severity: Severity = "block"


@dataclass(frozen=True)
class Drift:
    """Limits between training and holdout."""

    max_feature_drift: float
    max_label_drift: float
    max_prediction_drift: float
    max_new_categories: float
    severity: Severity = "block"


@dataclass(frozen=True)
class Model:
    """Limits of the model by itself."""

    min_gain: float
    max_degradation: float
    max_calibration_error: float
    severity: Severity = "block"


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
    renamed: Severity
    stopped: Severity
    severity: Severity = "warn"

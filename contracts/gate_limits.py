"""The gate's tables of thresholds.toml, apart from those of the comparison. Each value is explained in the file."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.limit_types import Count, Number, Probability, Severity, Share, Table


@dataclass(frozen=True)
class Data(Table):
    """`[gate.data]`: data integrity."""

    max_missing: Share
    max_duplicates: Share
    max_variants: Share
    max_mixed_types: Share
    max_label_correlation: Share
    max_time_overlap: Share
    severity: Severity = "block"


@dataclass(frozen=True)
class Leakage(Table):
    """`[gate.leakage]`: features that contain the outcome, rows in both training and holdout."""

    max_solo: Share
    max_new: Share
    max_jump: Share
    max_split_copies: Share
    max_replayed: Share
    severity: Severity = "block"


@dataclass(frozen=True)
class Labels(Table):
    """`[gate.labels]`: outcomes that are missing or not yet known."""

    max_fall: Share
    min_class: Number
    severity: Severity = "block"


@dataclass(frozen=True)
class Rows(Table):
    """`[gate.rows]`: the holdout against the training rows, and both against the champion's."""

    max_rewritten: Share
    max_lost: Share
    max_missing_jump: Share
    max_sentinel: Share
    max_frozen: Share
    max_repeated: Share
    min_rate: Number
    max_stale_days: Count
    max_clock: Share
    max_skew: Share
    max_conflicts: Share
    max_added: Share = 0.02
    severity: Severity = "block"


@dataclass(frozen=True)
class Changes(Table):
    """`[gate.changes]`: small steps since the champion was trained, beyond what the days before show."""

    max_pile_up: Share
    max_missing_step: Share
    max_rank_step: Share
    max_share_step: Share
    max_identical: Share
    max_lost_share: Share
    max_lost_excess: Share
    severity: Severity = "hold"


@dataclass(frozen=True)
class Behaviour(Table):
    """`[gate.behaviour]`: spread, direction and stability of the scores."""

    min_spread: Number
    max_unstable: Share
    max_against: Share
    severity: Severity = "block"


@dataclass(frozen=True)
class ReleaseModel(Table):
    """`[gate.release]`: how far the release model may differ from the evaluation model."""

    max_changed: Share
    max_away: Number
    max_worse: Number
    max_worse_part: Number
    severity: Severity = "block"


@dataclass(frozen=True)
class Drift(Table):
    """`[gate.drift]`: from the training rows to the holdout."""

    max_feature_drift: Share
    max_label_drift: Share
    max_prediction_drift: Share
    max_new_categories: Share
    severity: Severity = "block"


@dataclass(frozen=True)
class Model(Table):
    """`[gate.model]`: the model's performance by itself."""

    min_gain: Number
    max_degradation: Share
    max_calibration_error: Share
    severity: Severity = "block"


@dataclass(frozen=True)
class Decay(Table):
    """`[gate.decay]`: champion and anchor on new rows, against their own evaluation."""

    confidence: Probability
    min_margins: Number
    certain_errors: Share
    bias: Number = 0.2
    severity: Severity = "hold"


@dataclass(frozen=True)
class Compatibility(Table):
    """`[gate.contract]`: rows that the champion accepts and the candidate refuses."""

    severity: Severity = "block"


@dataclass(frozen=True)
class Serving(Table):
    """`[gate.serving]`: latency, size and memory of the real server, relative to the champion's.

    Below *fast* seconds, *small* bytes of model and *light* bytes of memory the ratios do not matter.
    """

    seconds: Number
    fast: Number
    latency_ratio: Number
    small: Count
    size_ratio: Number
    light: Count
    memory_ratio: Number
    severity: Severity = "block"


@dataclass(frozen=True)
class Upstream(Table):
    """`[gate.upstream]`: what counts as a change of the source, and which changes block."""

    missing_rise: Number
    category_share: Number
    sentinel_share: Number
    horizon_days: Count
    units: Severity
    renamed: Severity
    stopped: Severity
    severity: Severity = "warn"

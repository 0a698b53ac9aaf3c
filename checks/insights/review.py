"""What the report shows beside findings and comparison."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from checks.insights.distribution_shift import Shift
from checks.insights.permutation_importance import Importance
from checks.insights.prediction_churn import Churn
from checks.rules.serving.serving_load import Served
from model.source_profile.source_change import Change


@dataclass(frozen=True)
class Review:
    """Prediction churn, permutation importance, data drift, changes of the source, serving (candidate first)."""

    churn: Churn | None
    importances: tuple[Importance, ...]
    shifts: tuple[Shift, ...]
    changes: tuple[Change, ...]
    served: tuple[Served, ...]

    def to_json(self) -> dict[str, Any]:
        """The part of verdict.json."""
        return {
            "features": [asdict(each) | {"shown": each.shown} for each in self.importances],
            "decisions": asdict(self.churn) if self.churn else None,
            "upstream": [asdict(change) for change in self.changes],
            "serving": [
                {k: v for k, v in asdict(each).items() if k != "seconds"} | {"p95": each.p95} for each in self.served
            ],
        }

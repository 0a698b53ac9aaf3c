"""The 28 tests of the ML Test Score, and what counts as a run of each.

E. Breck, S. Cai, E. Nielsen, M. Salib, D. Sculley: The ML Test Score: A Rubric for ML Production Readiness and Technical
Debt Reduction, IEEE Big Data 2017. Names and order are those of its tables I to IV.
"""

from __future__ import annotations

from dataclasses import dataclass

DATA, MODEL, INFRASTRUCTURE, MONITORING = SECTIONS = ("data", "model", "infrastructure", "monitoring")
#: Days between two runs of what is done for each candidate, each week, each month.
NIGHTLY, WEEKLY, MONTHLY = 1, 7, 31
_GATE = "make retrain gate land"
_WATCH = "make watch"


@dataclass(frozen=True)
class Need:
    """One of the *checks* has to run, about *every* so many days; *cure* is what to type ("": nothing runs it yet).

    A check ends with `*` where any name that begins so will do.
    """

    checks: tuple[str, ...]
    cure: str
    every: int = NIGHTLY


@dataclass(frozen=True)
class MlTest:
    """A test of the paper: its *section*, its *number* in the section, its *name*, and everything that it needs."""

    section: str
    number: int
    name: str
    needs: tuple[Need, ...]


def _rules(*names: str) -> tuple[Need, ...]:
    """Each of these rules of the gate has to run for the candidates."""
    return tuple(Need((f"rule:{name}",), _GATE) for name in names)


_IMPORTANCE = Need(("measured:importance",), _GATE)
_NIGHT = Need(
    ("workflow:nightly.yml", "loop:answered"), "gh workflow run nightly.yml, or: make retrain gate land watch"
)
_TABLES = {
    DATA: (
        ("Feature expectations are captured in a schema", _rules("contract.compatible", "data.missing")),
        ("All features are beneficial", (_IMPORTANCE,)),
        (
            "No feature's cost is too much",
            (
                *_rules("serving.latency", "serving.memory"),
                Need(("workflow:features.yml",), "gh workflow run features.yml", MONTHLY),
            ),
        ),
        ("Features adhere to meta-level requirements", _rules("leak.solo", "leak.running_id", "leak.replay")),
        ("The data pipeline has appropriate privacy controls", (Need(("scan:personal",), ""),)),
        ("New features can be added quickly", (Need(("feature:added",), "python -m model feature add NAME", MONTHLY),)),
        ("All input feature code is tested", _rules("leak.replay", "data.rewritten")),
    ),
    MODEL: (
        (
            "Model specs are reviewed and submitted",
            (
                Need(("manifest:commit",), "git commit model/recipe.py, then: make retrain gate land"),
                Need(("setting:review",), "python -m forge doctor --forge github:OWNER/NAME"),
            ),
        ),
        (
            "Offline and online metrics correlate",
            (Need(("realised:gain",), "make retrain gate land, until the outcomes after three releases are known"),),
        ),
        ("All hyperparameters have been tuned", (Need(("backtest:lengths",), "make backtest LENGTHS=6", 3 * MONTHLY),)),
        ("The impact of model staleness is known", (Need(("measured:age", "backtest:staleness"), "make backtest"),)),
        ("A simpler model is not better", _rules("compare.baseline")),
        ("Model quality is sufficient on important data slices", _rules("slice.*")),
        ("The model is tested for considerations of inclusion", (Need(("scan:floor",), ""),)),
    ),
    INFRASTRUCTURE: (
        ("Training is reproducible", (Need(("drill:retrain",), "", WEEKLY),)),
        ("Model specs are unit tested", _rules("bundle.scores", "bundle.metadata", "model.constant")),
        ("The ML pipeline is Integration tested", (_NIGHT,)),
        ("Model quality is validated before serving", _rules("compare.*", "bundle.quarantine")),
        ("The model is debuggable", (Need(("drill:explain",), "make drill-rollback", WEEKLY),)),
        ("Models are canaried before serving", _rules("serving.answers")),
        (
            "Serving models can be rolled back",
            (Need(("drill:rollback", "live:rollback"), "make drill-rollback", WEEKLY),),
        ),
    ),
    MONITORING: (
        ("Dependency changes result in notification", (*_rules("upstream.*"), Need(("drill:libraries",), "", WEEKLY))),
        (
            "Data invariants hold for inputs",
            (Need(("signal:missing_values",), _WATCH), Need(("signal:univariate_drift",), _WATCH)),
        ),
        (
            "Training and serving are not skewed",
            (Need(("manifest:sent", "signal:serving_skew"), "make retrain JOURNAL=DIR, and set the variable JOURNAL"),),
        ),
        ("Models are not too stale", (*_rules("data.stale"), Need(("rule:champion.*", "measured:age"), _GATE))),
        ("Models are numerically stable", (*_rules("bundle.scores"), Need(("manifest:parity",), _GATE))),
        ("Computing performance has not regressed", (*_rules("serving.latency"), Need(("signal:latency",), _WATCH))),
        (
            "Prediction quality has not regressed",
            (Need(("signal:realised_performance", "signal:estimated_performance"), _WATCH),),
        ),
    ),
}
TESTS = tuple(
    MlTest(section, number, name, needs)
    for section, rows in _TABLES.items()
    for number, (name, needs) in enumerate(rows, start=1)
)

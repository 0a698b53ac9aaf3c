"""Records -> debts, each with the command that removes it. Pure.

D. Sculley et al.: Hidden Technical Debt in Machine Learning Systems, NeurIPS 2015.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from checks.ml_test_score.recorded_runs import RuleRuns

NO_BENEFIT, UNSENT = "feature without a shown benefit", "field that nobody sends"
ALWAYS_WAIVED, NEVER_FIRED = "rule that is always waived", "limits that never fired"
EXPIRED, LONG, OLD = "waiver past its day", "experiment past its day", "dependency behind by a year"
#: Verdicts that have to be recorded before a rule can be said to be always waived, and never to have fired.
WAIVED, QUIET = 5, 30
#: Answers in the journal before a feature can be said not to be sent.
ANSWERS = 1000
#: Days after which an experiment is past its day, and a pinned version is old.
EXPERIMENT, PINNED = timedelta(days=56), timedelta(days=365)


@dataclass(frozen=True, order=True)
class Debt:
    """A debt of a *kind*, its *name*, why it is one, and the command or edit that removes it."""

    kind: str
    name: str
    why: str
    cure: str

    @property
    def key(self) -> str:
        """By which it is recognised in the next ledger."""
        return f"{self.kind}: {self.name}"


def without_benefit(verdict: Mapping[str, Any]) -> Iterator[Debt]:
    """Features whose permutation importance in a *verdict* has a confidence interval with zero."""
    version = (verdict.get("candidate") or {}).get("version", "")
    for each in verdict.get("features") or ():
        if not each["shown"]:
            name = str(each["name"])
            why = f"no significant permutation importance in the verdict on {version}"
            yield Debt(NO_BENEFIT, name, why, f"python -m model feature drop {name}")


def never_sent(features: Iterable[str], sent: Mapping[str, int], answers: int) -> Iterator[Debt]:
    """Features that none of so many *answers* in the journal has; *sent* counts the answers that have a field."""
    if answers >= ANSWERS:
        for name in sorted(name for name in features if not sent.get(name)):
            why = f"none of {answers:,} answers in the journal has a value"
            yield Debt(UNSENT, name, why, f"python -m model feature drop {name}")


def rules(runs: Sequence[RuleRuns]) -> Iterator[Debt]:
    """Rules that were waived in each verdict in which they failed, and rules that never failed in any of many verdicts."""
    for name in sorted({name for run in runs for name in run.waived}):
        failed = sum(name in run.failed for run in runs)
        waived = sum(name in run.waived for run in runs)
        if waived >= WAIVED and waived >= failed:
            why = f"waived in all {waived} verdicts in which it failed"
            yield Debt(ALWAYS_WAIVED, name, why, f"correct the limit of {name} in checks/thresholds.toml")
    fired = {name for run in runs for name in run.failed}
    quiet = sorted({name for run in runs for name in run.passed} - fired)
    if len(runs) >= QUIET and quiet:
        why = f"none of {len(runs)} verdicts failed: {', '.join(quiet)}"
        cure = "make drill shows which of them catch a fault of your data"
        yield Debt(NEVER_FIRED, f"{len(quiet)} rules", why, cure)


def expired(waivers: Iterable[tuple[str, str, Any]], today: date) -> Iterator[Debt]:
    """Waivers past their day; each is its file, its name and its day."""
    for path, name, until in waivers:
        if isinstance(until, date) and until < today:
            yield Debt(EXPIRED, name, f"{path}: it ended on {until}", f"delete the entry {name} from {path}")


def long_experiments(challengers: Iterable[tuple[str, date]], today: date) -> Iterator[Debt]:
    """Challengers with a share of the traffic, or in shadow mode, since a day that is long ago."""
    for version, since in challengers:
        if today - since > EXPERIMENT:
            why = f"challenger for {(today - since).days} days, since {since}"
            yield Debt(LONG, version, why, f"python -m forge challenge {version} --end")


def old_pins(pins: Mapping[str, tuple[str, date]], today: date) -> Iterator[Debt]:
    """Packages whose pinned version has not changed for a year; *pins* has name -> (version, day of the line)."""
    for name, (version, since) in sorted(pins.items()):
        if today - since > PINNED:
            yield Debt(OLD, name, f"{version}, pinned since {since}", "make lock")


def removed(before: Collection[str], now: Iterable[Debt], unseen: Collection[str] = ()) -> list[str]:
    """Debts of the ledger *before* that are no debts any more; of the *unseen* kinds that is not known."""
    gone = {*before} - {each.key for each in now}
    return sorted(each for each in gone if each.partition(": ")[0] not in unseen)

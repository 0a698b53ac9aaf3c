"""A quarter in the life of a model, as values: for the dashboard."""

import math
from datetime import date, timedelta

from forge.interface import Alert, Change, Proposal, Release
from monitoring.charts.signals import Signal
from monitoring.dashboard.dashboard_data import Context, gather
from monitoring.metric_history import Series
from monitoring.metrics.daily_metrics import Day

FIRST = date(2026, 9, 1)
OLD, NEW, BAD = "20260815T0317-aaaaaaa", "20260925T0317-bbbbbbb", "20261008T0317-ccccccc"
NEXT = "20261020T0317-ddddddd"
CONTRACT = {
    "name": "flight-late",
    "task": "binary",
    "features": [{"name": "origin", "kind": "category", "description": "airport", "owner": "sales"}],
    "target": {"name": "late", "classes": [False, True], "description": "late"},
    "key": "flight",
    "time": "scheduled_at",
    "slices": ["origin"],
    "private": [],
    "description": "Will the flight leave late?",
}
REPORT = """## {sign} {decision}

**{sentence}**

|  | candidate | champion |
|---|---:|---:|
| log_loss ↓ | 0.5450 | 0.6122 |

| What changed | candidate | champion |
|---|---|---|
| version | {version} | x |

<details><summary>Features: 2</summary>

- `origin` **+0.03**

</details>

```mermaid
xychart-beta
```

The drill of 2026-10-01 on this gate: 31 of 33 faults caught for their own reason, 30 of them by no rule that does not concern them; 0 of 4 clean candidates rejected.
<!-- looked {{}} -->
"""
SEQUENCE = [[day, 0.004 * (1 - 1 / day), 0.004 - 0.05 / day**0.5, 0.004 + 0.05 / day**0.5] for day in range(3, 17)]


def report(decision, version, sentence):
    sign = {"PROMOTE": "✅", "HOLD": "⏳", "REJECT": "❌"}[decision]
    return REPORT.format(sign=sign, decision=decision, version=version, sentence=sentence)


def live(champion, challenger="", share=0.2):
    text = f'[champion]\nversion = "{champion}"\n[anchor]\nversion = "{OLD}"\n'
    return text + (f'[challenger]\nversion = "{challenger}"\nshare = {share}\n' if challenger else "")


HISTORY = [
    Change("e", "2026-10-20T04:00:00Z", "A challenger gets a fifth", live(NEW, NEXT)),
    Change("d", "2026-10-10T09:12:00Z", "Roll back to bbbbbbb", live(NEW)),
    Change("c", "2026-10-08T04:00:00Z", "flight-late: model ccccccc", live(BAD)),
    Change("b", "2026-09-25T04:00:00Z", "flight-late: model bbbbbbb", live(NEW)),
    Change("a", "2026-08-15T04:00:00Z", "flight-late: model aaaaaaa", live(OLD)),
]


def answering(number):
    """Which version answered on the *number*-th day."""
    day = f"{FIRST + timedelta(days=number)}"
    return next(
        v for since, v in (("2026-10-10", NEW), ("2026-10-08", BAD), ("2026-09-25", NEW), ("", OLD)) if day >= since
    )


def series(days=61, features=6):
    """Rows, realised log loss, and signals: one that jumps with the bad version, one that creeps."""
    found = Series()
    for version in (OLD, NEW, BAD):
        mine = [n for n in range(days) if answering(n) == version]
        signals, counts = [], []
        for n in mine:
            day, wave = f"{FIRST + timedelta(days=n)}", math.sin(n * 1.7) + 0.5 * math.sin(n * 0.9)
            bad = version == BAD
            loss, auc = 0.46 + 0.012 * wave + 0.09 * bad, 0.72 + 0.01 * wave - 0.05 * bad
            labelled = 900 if n < days - 7 else 0
            metrics = {"log_loss": loss, "roc_auc": auc, "accuracy": auc + 0.08} if labelled else {}
            counts.append(Day(version, day, 1000 + int(80 * wave) - 250 * (n % 7 > 4), labelled, metrics))
            signals += [
                Signal(
                    "estimated_performance",
                    "roc_auc",
                    "",
                    day,
                    auc + 0.004 * wave,
                    0.72,
                    0.69,
                    None,
                    1000,
                    severity="page",
                    run_length=9000.0,
                ),
                Signal(
                    "score_drift",
                    "mean",
                    "",
                    day,
                    0.02 + 0.004 * wave + 0.05 * bad,
                    0.02,
                    None,
                    0.045,
                    1000,
                    run_length=12000.0,
                ),
                Signal(
                    "unseen_categories",
                    "share",
                    "origin",
                    day,
                    max(0.0, (n - 40) / 90 if 40 < n < 52 else 0.001),
                    0.001,
                    None,
                    0.01,
                    1000,
                    severity="page",
                    run_length=36400.0,
                ),
                *(
                    Signal(
                        "univariate_drift",
                        "jensen_shannon",
                        f"feature_{each}",
                        day,
                        0.03 + 0.006 * wave + 0.004 * each,
                        0.03,
                        None,
                        0.09,
                        1000,
                        severity="digest",
                        run_length=30000.0,
                    )
                    for each in range(features)
                ),
            ]
        found = found.updated(
            version,
            signals,
            counts,
            {"at": "2026-10-31T10:41Z", "version": version, "state": "raised", "why": "lasting"},
        )
    return found


MEMORY = {
    "causes": ["page/unseen_categories/origin"],
    "words": ["origin: 12% never seen"],
    "since": "2026-10-12",
    "last": "2026-10-22",
    "now": 4.0,
    "peak": 12.2,
    "peak_day": "2026-10-21",
    "ack": "2026-11-02",
    "ack_by": "ana",
    "runs": [["2026-10-12", "up to 2026-10-12: unseen categories"]],
    "actions": [["2026-10-13", "called a retrain"]],
}
ALERTS = [
    Alert(
        7,
        f"experiment:{NEXT}:2026-10-20",
        f"Experiment: challenger {NEXT}: running",
        "⏳ **running**: not decided yet.\n\n| | gain |\n|---|---:|\n| log_loss | +0.003 |\n",
        "open",
        ("opened",),
        {
            "state": "running",
            "why": "not decided yet",
            "days": 16,
            "needs": 12,
            "since": "2026-10-20T04:00:00Z",
            "measure": "log_loss",
            "margin": 0.005,
            "gain": SEQUENCE,
        },
        link="#7",
    ),
    Alert(
        6,
        "watch:flight-late:page/unseen_categories/origin",
        "flight-late: unseen categories since 2026-10-12 (origin)",
        "**flight-late**: beyond its limits since 2026-10-12.\n\n- unseen categories: origin: 0.122 on 2026-10-21, limit 0.010\n\n**What to do.** Run *nightly*.\n",
        "open",
        ("2026-10-12T10:41:00Z opened",),
        MEMORY,
        link="#6",
    ),
    Alert(
        4,
        "incident:" + BAD,
        f"Rolled back from {BAD}",
        f"`{BAD}` was live for two days.\n",
        "closed",
        ("opened", "closed"),
        {},
        closed_at="2026-10-14T08:00:00Z",
        link="#4",
    ),
]
RELEASES = [
    Release(
        version,
        "sha256:0",
        state,
        report("PROMOTE", version, f"Better than the champion: log_loss {loss}."),
        f"{version[:4]}-{version[4:6]}-{version[6:8]}T03:17:00Z",
        latest,
    )
    for version, state, loss, latest in (
        (NEXT, "candidate", 0.449, False),
        (BAD, "withdrawn", 0.452, False),
        (NEW, "published", 0.458, True),
        (OLD, "published", 0.466, False),
    )
]
PROPOSALS = [
    Proposal(
        9,
        "retrain",
        "flight-late: model eeeeeee",
        "card",
        "closed",
        "e",
        (),
        (False, "REJECT"),
        {
            "verdict": report(
                "REJECT",
                "20261025T0317-eeeeeee",
                "data.rewritten fails: late differs in 27.9% of 22,223 rows; and 8 more.",
            )
        },
    ),
    Proposal(
        8,
        "retrain",
        "flight-late: model ddddddd",
        "card",
        "merged",
        "d",
        (),
        (True, "PROMOTE"),
        {"verdict": report("HOLD", NEXT, "Not settled: about 4 more days of labels are needed.")},
    ),
    Proposal(
        5,
        "rollback",
        "Roll back to bbbbbbb",
        "the on-call does not trust it",
        "merged",
        "c",
        (),
        (True, "rolled back: the on-call does not trust it"),
        {},
    ),
]


def quarter(address="https://github.com/acme/flights", **more):
    """What the dashboard shows of it."""
    forge = {"history": HISTORY, "releases": RELEASES, "proposals": PROPOSALS, "alerts": ALERTS}
    manifests = {
        v: {"contract": CONTRACT, "metrics": {"holdout": {"log_loss": 0.465, "roc_auc": 0.72, "accuracy": 0.8}}}
        for v in (OLD, NEW, BAD)
    }
    found = Context("2026-11-05T10:41Z", "github:acme/flights" if address else ".forge", address, (OLD, ""))
    return gather(forge | more, manifests, series(), found)

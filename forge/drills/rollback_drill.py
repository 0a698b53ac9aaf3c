"""The drill of a rollback: back to the version before and forward again, with the real scorer and sync, in a shadow.

Nothing of the real forge is changed. It is measured how long it takes from the decision until the scorer answers with the
other version, and whether its answer is the score that the bundle promises for a golden row.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from contracts.live_config import LIVE, Live, Slot, champions_of, digests_of
from forge.bundles.sync import sync
from forge.drills.drill_records import DrillRun
from forge.drills.scorer_process import Scorer, explained, scorer
from forge.drills.shadow_forge import Shadow, land, shadow_of
from forge.interface import Forge, ForgeError
from forge.releases.reconciliation import agree, roll_back
from forge.workflow_output import say

Start = Callable[[Path, Path], AbstractContextManager[Scorer]]
Explain = Callable[[str, Path, Path], bool]
REASON = "a drill: nothing is wrong with it"


def drill_rollback(
    forge: Forge,
    now: datetime,
    start: Start = scorer,
    explain: Explain = explained,
    clock: Callable[[], float] = time.monotonic,
) -> list[DrillRun]:
    """The runs `rollback` and `explain`; one that failed says why. [] where there is nothing to roll back to yet.

    Raises `ForgeError` where the real forge cannot be read: then nothing was drilled.
    """
    at = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shadow = shadow_of(forge, folder)
        if shadow is None:
            return []
        say("a drill: the next lines are about a copy of the forge, nothing real is changed")
        try:
            back, forward, served, id_ = _there_and_back(shadow, folder, start, now, clock)
        except ForgeError as error:
            return [DrillRun("rollback", at, False, f"{shadow.now} to {shadow.before}: {error}")]
        says = (
            f"{back:.1f} s until {shadow.before} answered instead of {shadow.now}, {forward:.1f} s forward again;"
            f" {served.failed} of {served.requests} requests failed"
        )
        runs = [
            DrillRun("rollback", at, served.failed == 0, says, {"back": round(back, 3), "forward": round(forward, 3)})
        ]
        equal = explain(id_, folder / "store", folder)
        how = "was computed again from journal and bundle" if equal else "could not be computed again: serve explain"
        return [*runs, DrillRun("explain", at, equal, f"an answer of {shadow.before} {how}")]


def _there_and_back(
    shadow: Shadow, folder: Path, start: Start, now: datetime, clock: Callable[[], float]
) -> tuple[float, float, Scorer, str]:
    """Seconds until each version answers, the scorer that was asked, and the id of the older version's answer."""
    store, rows = folder / "store", {each: _golden(shadow.forge, each) for each in (shadow.now, shadow.before)}
    _sync(shadow, store)
    with start(store, folder) as served:
        served.until(shadow.now, rows[shadow.now][0])
        began = clock()
        roll_back(shadow.forge, shadow.now, None, REASON, "", now)
        _sync(shadow, store)
        answer = served.until(shadow.before, rows[shadow.before][0])
        back = clock() - began
        _same(shadow.before, answer, rows[shadow.before][1])
        began = clock()
        (digest,) = digests_of(shadow.forge.history(LIVE))[shadow.now]
        land(shadow.forge, Live(Slot(shadow.now, digest)), f"Revert the rollback of {shadow.now}")
        agree(shadow.forge)
        _sync(shadow, store)
        again = served.until(shadow.now, rows[shadow.now][0])
        forward = clock() - began
        _same(shadow.now, again, rows[shadow.now][1])
    states = {each.version: each.state for each in shadow.forge.releases()}
    if states.get(shadow.now) != "published" or champions_of(shadow.forge.history(LIVE))[-1] != shadow.now:
        raise ForgeError(f"after the way forward {shadow.now} is {states.get(shadow.now)}, and not live again")
    return back, forward, served, str(answer.get("id", ""))


def _sync(shadow: Shadow, store: Path) -> None:
    result = sync(shadow.forge, store)
    if result.failed:
        raise ForgeError(f"the sync failed: {result.message}")


def _golden(forge: Forge, version: str) -> tuple[Mapping[str, Any], Any]:
    """A golden row of *version*, and its score."""
    golden = forge.manifest(version)["golden"]
    return golden["rows"][0], golden["scores"][0]


def _same(version: str, answer: Mapping[str, Any], expected: Any) -> None:
    """Raises `ForgeError` unless the *answer* of *version* has the *expected* score, or probabilities of all classes."""
    probabilities = answer.get("probabilities")
    found = list(probabilities.values()) if isinstance(expected, list) and probabilities else [answer.get("score")]
    wanted = expected if isinstance(expected, list) else [expected]
    close = len(found) == len(wanted) and all(
        isinstance(one, int | float) and math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-5)
        for one, other in zip(found, wanted, strict=True)
    )
    if not close:
        raise ForgeError(f"{version} answered {found} for a golden row; its bundle promises {wanted}")

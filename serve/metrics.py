"""What the scorer counts, for Prometheus and for the status page, across workers.

Each worker counts into a file of its own (`serve.slots`), so that a kill loses nothing that was
counted; whoever is asked adds the files up (`serve.tally`).
"""

from __future__ import annotations

import math
import sys
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path

from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState

from serve.bundle import Bundle
from serve.exposition import CONTENT_TYPE, Family, exposed
from serve.families import (
    ANSWERS,
    BACKLOG,
    DIFFERENCE,
    DISAGREED,
    FAMILIES,
    FORGE,
    IN_PROGRESS,
    LOST,
    MISSING,
    OUTCOMES,
    PROBABILITIES,
    REQUESTS,
    SCORES,
    SECONDS,
    SHADOWED,
    UNCOUNTED,
    UNSEEN,
    WORKERS,
    family,
)
from serve.scorer import Scorer
from serve.service import Service
from serve.slots import Series, Slots
from serve.standing import age, standing
from serve.tally import Tally, Totals

EXTENSION = "tidegate.metrics"
#: In the journal's folder.
FOLDER = ".metrics"

routes = Blueprint("metrics", __name__)


class _Mine(threading.local):
    """What this thread does at the moment: a request of Flask, or of the short cut in front of it."""

    flask = False


class Metrics:
    """Counts in *folder*, which the workers of one server share; None counts in memory.

    `bounds` gives the buckets of a version's scores, and must give every worker the same. Counting
    costs an answer about a microsecond.
    """

    def __init__(
        self,
        folder: Path | None,
        clock: Callable[[], float] = time.time,
        bounds: Callable[[str], Sequence[float]] = lambda _: PROBABILITIES,
        *,
        worker: bool = True,
    ) -> None:
        self.bounds, self._clock = bounds, clock
        #: How many lines the journal of this worker lost so far.
        self.lost: Callable[[], int] = lambda: 0
        self._slots = slots = Slots(folder)
        self._tally, self.why = Tally(folder, slots, {IN_PROGRESS, WORKERS}), slots.why
        if self.why:
            print(f"metrics: {self.why}", file=sys.stderr, flush=True)
        self._values, self._lock = slots.values, slots.lock
        self._seconds = slots.place(Series(ANSWERS, (), SECONDS))
        self._sum = self._seconds + len(SECONDS) + 1
        self._scored = slots.place(Series(REQUESTS, ("/score", "200")))
        self._in_progress = slots.place(Series(IN_PROGRESS))
        self._lost = slots.place(Series(LOST))
        self._uncounted = slots.place(Series(UNCOUNTED))
        if worker:
            self._values[slots.place(Series(WORKERS))] = 1
        self._arms: dict[tuple[str, str], tuple[int, tuple[float, ...]]] = {}
        self._named: dict[tuple[str, str], int] = {}
        self._turns = 0.0
        self._mine = _Mine()

    def answered(
        self,
        version: str,
        arm: str,
        scores: Sequence[float],
        missing: Mapping[str, int],
        unseen: Mapping[str, int],
        seconds: float,
        requests: int = 1,
    ) -> None:
        """Rows of so many requests were answered, all those of one arm, within *seconds*."""
        place, bounds = self._arms.get((version, arm)) or self._arm(version, arm)
        values = self._values
        counts = self._counts(missing, unseen) if missing or unseen else ()
        with self._lock:
            if self._clock() >= self._turns:
                self._turn()
            values[self._seconds + bisect_left(SECONDS, seconds)] += requests
            values[self._sum] += seconds * requests
            if not place:
                values[self._uncounted] += len(scores)
            elif len(scores) == 1:
                values[place + bisect_left(bounds, scores[0])] += 1
                values[place + len(bounds) + 1] += scores[0]
            else:
                for step, count in Counter(map(bisect_left, repeat(bounds), scores)).items():
                    values[place + step] += count
                values[place + len(bounds) + 1] += sum(scores)
            for named, count in counts:
                values[named] += count
            values[self._lost] = self.lost()

    def refused(self, status: int) -> None:
        """The short cut refused a request; what Flask refuses is counted there."""
        if not self._mine.flask:
            self.request("/score", status)

    def in_progress(self, change: int, answered: int = 0) -> None:
        """The short cut began requests, or ended them, and *answered* so many; Flask counts its own."""
        if self._mine.flask:
            return
        with self._lock:
            self._values[self._in_progress] += change
            self._values[self._scored] += answered

    def in_flask(self, *, begins: bool) -> None:
        """Flask begins a request in this thread, or is over with it."""
        if begins != self._mine.flask:
            self._mine.flask = begins
            with self._lock:
                self._values[self._in_progress] += 1 if begins else -1

    def request(self, route: str, status: int) -> None:
        """A request for *route*, a word of ours and never a client's, was answered with *status*."""
        place = self._slots.place(Series(REQUESTS, (route, str(status)))) or self._uncounted
        with self._lock:
            self._values[place] += 1
            self._values[self._lost] = self.lost()

    def outcomes(self, count: int) -> None:
        """So many outcomes were accepted."""
        self._add(Series(OUTCOMES), count)

    def shadowed(self, version: str, found: Mapping[str, float]) -> None:
        """What became of rows that a shadow was to score, and how it differs from what was told."""
        for name, count in found.items():
            family, more = {
                "disagreed": (DISAGREED, ()), "difference": (DIFFERENCE, ()),
            }.get(name, (SHADOWED, (name,)))  # fmt: skip
            self._add(Series(family, (version, *more)), count)

    def served(self) -> Mapping[Series, Sequence[float]]:
        """What this worker counted of requests and of the seconds that answers took."""
        return self._slots.held((REQUESTS, ANSWERS))

    def render(self, more: Sequence[Family] = ()) -> str:
        """What all workers counted, and *more*, as Prometheus reads it."""
        families = {name: family(name) for name in FAMILIES}
        for series, values in self._tally.totals().items():
            families[series.family].add(values, *series.labels, bounds=series.bounds)
        return exposed([*families.values(), *more])

    def recent(self, minutes: int = 15) -> list[Totals]:
        """What was counted in each of the last minutes; the last one is not over."""
        return self._tally.recent(int(self._clock() // 60), minutes)

    def _add(self, series: Series, amount: float) -> None:
        place = self._slots.place(series) or self._uncounted
        with self._lock:
            self._values[place] += amount

    def _arm(self, version: str, arm: str) -> tuple[int, tuple[float, ...]]:
        bounds = tuple(self.bounds(version))
        place = self._slots.place(Series(SCORES, (version, arm), bounds))
        self._arms[version, arm] = place, bounds
        return place, bounds

    def _counts(
        self, missing: Mapping[str, int], unseen: Mapping[str, int]
    ) -> Sequence[tuple[int, int]]:
        """Slots, each with what to add."""
        return [
            (self._named.get((family, name)) or self._name(family, name), count)
            for family, found in ((MISSING, missing), (UNSEEN, unseen))
            for name, count in found.items()
        ]

    def _name(self, family: str, name: str) -> int:
        place = self._slots.place(Series(family, (name,))) or self._uncounted
        return self._named.setdefault((family, name), place)

    def _turn(self) -> None:
        minute = int(self._clock() // 60)
        self._slots.turn(minute)
        self._turns = (minute + 1) * 60.0


def bounds_of(bundle: Bundle) -> tuple[float, ...]:
    """Buckets for the scores of *bundle*: those of probabilities, or round ones for its values."""
    if bundle.contract.task != "regression":
        return PROBABILITIES
    golden = bundle.manifest["golden"]["scores"]
    low, high = min(golden, default=0.0), max(golden, default=1.0)
    rough = max(high - low, abs(high) * 1e-3, 1e-6) / 16
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * n for n in (1, 2, 5, 10) if size * n >= rough)
    first = math.floor(low / step)
    return tuple(round((first + n) * step, 12) for n in range(20))


@routes.get("/metrics")
def metrics() -> Response:
    """What all workers counted, and what is live, as Prometheus reads it."""
    found: Metrics = current_app.extensions[EXTENSION]
    text = found.render(list(_state(current_app.extensions["tidegate"])))
    return Response(text, content_type=CONTENT_TYPE)


@routes.record_once
def _wire(state: BlueprintSetupState) -> None:
    scorer: Scorer = state.app.extensions["tidegate"]
    found = scorer.metrics
    if not isinstance(found, Metrics):
        found = Metrics(scorer.journal.folder / FOLDER)
        scorer.metrics = found
    journal = scorer.journal
    found.lost = lambda: journal.lost
    journal.also = Service(found.served, journal.service, scorer.champion, scorer.clock).tell
    if scorer.offers:
        scorer.offers.counted = found.shadowed
    found.bounds = lambda version: next(
        (bounds_of(arm.bundle) for arm in standing(scorer) if arm.bundle.version == version),
        PROBABILITIES,
    )
    state.app.extensions[EXTENSION] = found


@routes.before_app_request
def _begin() -> None:
    current_app.extensions[EXTENSION].in_flask(begins=True)


@routes.after_app_request
def _end(response: Response) -> Response:
    # The rule that matched, never the path: what clients make up must not become a series.
    route = str(request.url_rule) if request.url_rule else "none"
    current_app.extensions[EXTENSION].request(route, response.status_code)
    return response


@routes.teardown_app_request
def _over(_: BaseException | None) -> None:
    current_app.extensions[EXTENSION].in_flask(begins=False)


def _state(scorer: Scorer) -> Iterator[Family]:
    info, share, old = (family(name) for name in ("model_info", "arm_share", "model_age_seconds"))
    for arm in standing(scorer):
        contract, version = arm.bundle.contract, arm.bundle.version
        info.add(1, version, arm.name, contract.name, contract.task, arm.bundle.digest)
        share.add(arm.share, arm.name)
        seconds = age(arm.bundle, scorer.clock())
        if seconds is not None:
            old.add(seconds, version, arm.name)
    yield from (info, share, old)
    state = scorer.state()
    found: dict[str, float] = {
        "ready": bool(state["ready"]),
        "release_refused": bool(state["refused"]),
    }
    found |= {f"journal_{name}": value for name, value in state["journal"].items()}
    if forge := scorer.router.agreement():
        found |= {"forge_agrees": forge.agrees, "forge_agreement_age_seconds": forge.seconds}
    for name in ("ready", "release_refused", *FORGE, *BACKLOG):
        if name in found:
            looked_up = family(name)
            looked_up.add(found[name])
            yield looked_up

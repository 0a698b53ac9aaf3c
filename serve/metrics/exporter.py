"""`GET /metrics`: the counters of all workers, and the state at the moment of the scrape."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response, current_app, g, request
from flask.blueprints import BlueprintSetupState
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from contracts.row_contract import read_time
from serve.journal.service_counts import Service
from serve.metrics import metric_definitions as defined
from serve.metrics.buckets import PROBABILITIES, bounds_of
from serve.metrics.counters import run_folder
from serve.metrics.metric_definitions import LOOKED_UP, Definition
from serve.metrics.scorer_metrics import Metrics
from serve.routes.live_models import age, live_variants
from serve.scoring.scorer import Scorer

EXTENSION = "tidegate.metrics"
routes = Blueprint("metrics", __name__)


class State(Collector):
    """The state of *scorer* at the moment of the scrape: what it serves, and the files in its journal's folder."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def collect(self) -> Iterator[Metric]:
        """The metrics that have a value at present."""
        found = {each: each.metric() for each in LOOKED_UP}
        for definition, labels, value in self._values():
            samples = found[definition]
            samples.add_sample(samples.name, dict(zip(definition.labels, labels, strict=True)), value)
        yield from (metric for metric in found.values() if metric.samples)

    def _values(self) -> Iterator[tuple[Definition, tuple[str, ...], float]]:
        """Each metric with the values of its labels and its value."""
        for variant in live_variants(self._scorer):
            contract, version = variant.bundle.contract, variant.bundle.version
            labels = (version, variant.name, contract.name, contract.task, variant.bundle.digest)
            yield defined.INFO, labels, 1.0
            yield defined.SHARE, (variant.name,), variant.share
            yield defined.CORRECTED, (version, variant.name), float(variant.correction is not None)
            if (seconds := age(variant.bundle, self._scorer.clock())) is not None:
                yield defined.AGE, (version, variant.name), seconds
        state = self._scorer.state()
        for version, found in state["online"]["corrections"].items():
            if made := read_time(found["made"] or ""):
                yield defined.CORRECTION_AGE, (version,), (self._scorer.clock() - made).total_seconds()
        yield defined.READY, (), float(state["ready"])
        yield defined.REFUSED, (), float(bool(state["refused"]))
        if forge := self._scorer.follower.agreement():
            yield defined.AGREES, (), float(forge.agrees)
            yield defined.AGREEMENT_AGE, (), forge.seconds
        for definition in (defined.SEGMENTS, defined.BYTES, defined.UNSHIPPED):
            if (value := state["journal"].get(definition.name.removeprefix("journal_"))) is not None:
                yield definition, (), value


@routes.get("/metrics")
def metrics() -> Response:
    """The counters of all workers and the present state, in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(current_app.extensions[EXTENSION])
    registry.register(State(current_app.extensions["tidegate"]))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


@routes.record_once
def _wire(state: BlueprintSetupState) -> None:
    scorer: Scorer = state.app.extensions["tidegate"]
    found = scorer.metrics = scorer.metrics or Metrics(run_folder())
    found.watch(scorer.journal)
    scorer.journal.also = Service(found.served, scorer.journal.service, scorer.champion, scorer.clock).write
    if scorer.offers:
        scorer.offers.counted = found.shadowed
    found.bounds = lambda version: next(
        (bounds_of(variant.bundle) for variant in live_variants(scorer) if variant.bundle.version == version),
        PROBABILITIES,
    )
    state.app.extensions[EXTENSION] = found


@routes.before_app_request
def _begin() -> None:
    g.in_progress = True
    current_app.extensions[EXTENSION].in_progress(1)


@routes.after_app_request
def _end(response: Response) -> Response:
    # The URL rule that matched and not the path: a client could create any number of series.
    current_app.extensions[EXTENSION].request(str(request.url_rule or "none"), response.status_code)
    return response


@routes.teardown_app_request
def _over(_: BaseException | None) -> None:
    if g.pop("in_progress", False):
        current_app.extensions[EXTENSION].in_progress(-1)

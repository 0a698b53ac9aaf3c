"""The metrics on `/metrics`: the name, kind, meaning and labels of each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from prometheus_client import Metric
from prometheus_client.mmap_dict import mmap_key
from prometheus_client.utils import floatToGoString

PREFIX = "tidegate_"


class Definition(NamedTuple):
    """A metric: its name without the prefix and without `_total`, its kind, description and labels."""

    name: str
    kind: str
    says: str
    labels: tuple[str, ...] = ()

    @property
    def exported(self) -> str:
        """The name on `/metrics`."""
        return PREFIX + self.name + ("_total" if self.kind == "counter" else "")

    def metric(self) -> Metric:
        """The metric of prometheus_client, without samples."""
        return Metric(PREFIX + self.name, self.says, self.kind)

    def key(self, *values: str) -> str:
        """The key of the counter with these *values* of its labels."""
        return self._key(self.exported, self.labels, values)

    def buckets(self, bounds: Iterable[float], *values: str) -> list[str]:
        """The keys of a histogram: a bucket up to each of *bounds*, one above, and the sum."""
        name, labels = PREFIX + self.name, (*self.labels, "le")
        ends = [floatToGoString(bound) for bound in (*bounds, math.inf)]
        buckets = [self._key(name + "_bucket", labels, (*values, end)) for end in ends]
        return [*buckets, self._key(name + "_sum", self.labels, values)]

    def _key(self, sample: str, labels: Sequence[str], values: Sequence[str]) -> str:
        # A lone surrogate, which a name in JSON may contain and UTF-8 cannot encode, becomes a question mark.
        spelt = [value.encode("utf-8", "replace").decode() for value in values]
        return mmap_key(PREFIX + self.name, sample, [*labels], spelt, "")


# fmt: off
REQUESTS = Definition("requests", "counter", "Requests, by route and status.", ("route", "status"))
ANSWERS = Definition("answer_seconds", "histogram",
    "Seconds from rows to answers, journal included, on every route.")
IN_PROGRESS = Definition("requests_in_progress", "gauge", "Requests being answered.")
SCORES = Definition("score", "histogram", "Scores given, by version and variant.", ("version", "arm"))
MISSING = Definition("missing_values", "counter",
    "Values that were missing in rows answered.", ("feature",))
UNSEEN = Definition("unseen_values", "counter",
    "Categories never seen in training in rows answered.", ("feature",))
OUTCOMES = Definition("outcomes", "counter", "Outcomes that were accepted.")
SHADOWED = Definition("shadow_rows", "counter",
    "Rows for a shadow: scored, dropped, failed.", ("version", "result"))
DISAGREED = Definition("shadow_disagreements", "counter",
    "Rows that a shadow labels otherwise than they were.", ("version",))
DIFFERENCE = Definition("shadow_difference", "counter",
    "Sum of how far a shadow's scores are from those answered.", ("version",))
WORKERS = Definition("workers", "gauge", "Processes that answer.")
LOST = Definition("journal_lost_lines", "counter", "Lines that the journal could not keep.")
FAILING = Definition("journal_failing", "gauge", "Processes whose journal cannot be written now.")
UNCOUNTED = Definition("uncounted", "counter",
    "What was not counted by name, since a worker's file is full.")

INFO = Definition("model_info", "gauge", "What is live; always 1.",
    ("version", "arm", "name", "task", "digest"))
SHARE = Definition("arm_share", "gauge", "Share of the keys that a variant answers.", ("arm",))
AGE = Definition("model_age_seconds", "gauge", "Seconds since a model was made.", ("version", "arm"))
CORRECTED = Definition("correction_applied", "gauge",
    "Whether the scores of a variant are corrected online.", ("version", "arm"))
CORRECTION_AGE = Definition("correction_age_seconds", "gauge",
    "Seconds since a version's correction was made; absent without one.", ("version",))
READY = Definition("ready", "gauge", "Whether rows can be answered.")
REFUSED = Definition("release_refused", "gauge",
    "Whether something keeps the scorer from following its store or the forge.")
AGREES = Definition("forge_agrees", "gauge",
    "Whether what the forge names is served; absent without `forge sync`.")
AGREEMENT_AGE = Definition("forge_agreement_age_seconds", "gauge",
    "Seconds since it last was; infinite if never.")
SEGMENTS = Definition("journal_segments", "gauge",
    "Files of the journal that wait for upload, open ones too.")
BYTES = Definition("journal_bytes", "gauge", "Bytes in them.")
UNSHIPPED = Definition("journal_unshipped", "gauge",
    "Files that could not be uploaded at the last attempt.")

#: Metrics that processes count.
COUNTED = (REQUESTS, ANSWERS, IN_PROGRESS, SCORES, MISSING, UNSEEN, OUTCOMES, SHADOWED, DISAGREED,
    DIFFERENCE, WORKERS, LOST, FAILING, UNCOUNTED)
#: Metrics of the state at the moment of a scrape.
LOOKED_UP = (INFO, SHARE, AGE, CORRECTED, CORRECTION_AGE,
    READY, REFUSED, AGREES, AGREEMENT_AGE, SEGMENTS, BYTES, UNSHIPPED)

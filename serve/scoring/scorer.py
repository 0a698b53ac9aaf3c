"""The scorer: rows in, answers out, every answer journalled; the one function behind every route.

Nothing here knows HTTP. A request that cannot be answered raises `RequestError` with everything
that is wrong with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import msgspec
from msgspec import UNSET

from bundles.bundle import Bundle
from contracts.row_contract import Contract
from serve.http.responses import spell
from serve.http.strict_json import MAX_DEPTH, read_json
from serve.http.trace_context import read_trace
from serve.journal.writer import REFUSE, Journal
from serve.metrics.scorer_metrics import Metrics
from serve.release.follower import Follower
from serve.scoring.answer_lines import Answer, responses, tops
from serve.scoring.decoder import Decoder, decoder
from serve.scoring.missing_counts import gaps
from serve.scoring.row_table import Table
from serve.scoring.score_rows import ids_of, score_arms
from serve.scoring.validation import (
    MAX_ROWS,
    RequestError,
    problems_of,
    read_outcomes,
    read_rows,
    refuse,
    repeated,
    takes_ids,
)
from serve.traffic.shadow import Offers
from serve.traffic.split import TrafficSplit, Variant

Rows = Sequence[Mapping[str, Any]]
#: Of a time with its microseconds, which msgspec leaves out where there are none.
LENGTH = len("2026-03-01T12:00:00.000000Z")


class Scorer:
    """Scores rows with the live variants, and writes every answer to the journal."""

    def __init__(
        self,
        follower: Follower,
        journal: Journal,
        clock: Callable[[], datetime],
        metrics: Metrics | None = None,
        *,
        most_rows: int = MAX_ROWS,
        deepest: int = MAX_DEPTH,
        stopping: Callable[[], bool] = lambda: False,
        offers: Offers | None = None,
    ) -> None:
        self.follower, self.journal, self.clock, self.metrics = follower, journal, clock, metrics
        self.most_rows, self.deepest, self._stopping = most_rows, deepest, stopping
        self.offers = offers
        self._read: tuple[Contract, Decoder | None, bool] | None = None

    def score(self, content: bytes, trace: str = "") -> bytes:
        """The JSON response to a body: an object for one row, a list for a list.

        Raises `RequestError`, and whatever the model raises.
        """
        contract = must_be_live(self.follower.live.bundle).contract
        found = self._read_fast(contract, content)
        if found is not None:
            return self._respond(contract, found, trace, contract)
        found = read_json(content, self.deepest)
        read_rows(found, self.most_rows)
        return self._respond(contract, found, trace, None)

    def try_fast(self, requests: Sequence[tuple[bytes, str]]) -> list[bytes | Exception | None]:
        """What `score` returns or raises for each body and trace of *requests*, to the bit.

        None for a body that does not fit the contract or is unusual, and where the model fails.
        A body is read and refused here within microseconds for each kilobyte. To find all that is
        wrong with it can take a thousand times as long, so an event loop calls this, and `score` in
        a thread for each None, and for bodies of so many rows that scoring them takes too long.

        Bodies of one row share the clock, the journal's write and the metrics' lock: together they
        cost half of what they cost one by one.
        """
        found: list[bytes | Exception | None] = [None] * len(requests)
        try:
            contract = must_be_live(self.follower.live.bundle).contract
        except RequestError as error:
            return [error] * len(requests)
        read = [self._read_fast(contract, content) for content, _ in requests]
        single = [n for n, row in enumerate(read) if type(row) is dict] if len(requests) > 1 else ()
        if len(single) > 1:
            traces = [requests[n][1] for n in single]
            together = self._together(contract, [read[n] for n in single], traces)
            for n, response in zip(single, together, strict=True):
                found[n] = response
        for n, rows in enumerate(read):
            if rows is not None and found[n] is None:
                try:
                    found[n] = self._respond(contract, rows, requests[n][1], contract)
                except Exception as error:
                    found[n] = error
        return found

    def answer(self, rows: Rows, *, trace: str = "", fits: Contract | None = None) -> list[Answer]:
        """The answers of *rows*, in their order; all of them, or `RequestError`.

        *fits* is a contract that the rows are known to fit.
        """
        return self._answer(rows, [trace] * len(rows) if trace else (), fits)

    def record_outcomes(self, outcomes: Rows) -> dict[str, int]:
        """Keep outcomes, and say how many; RequestError if one is wrong or cannot be kept.

        Each is kept, whether or not this machine gave the answer: monitoring joins outcomes to answers by
        id, over all machines, and counts the first of an id.
        """
        bundle = must_be_live(self.follower.live.bundle)
        at = self.now()
        lines = [{**line, "at": at} for line in read_outcomes(bundle.contract, outcomes)]
        if not self.journal.outcomes(lines):
            raise RequestError(503, "the journal cannot be written; send the outcomes again")
        if self.metrics:
            self.metrics.outcomes(len(lines))
        return {"accepted": len(lines)}

    def state(self) -> dict[str, Any]:
        """Whether rows can be answered, by what since when; what is refused; what was lost.

        What keeps `forge sync` from following is refused as well; *why* it is not ready, if it is not.
        """
        live, forge, refused = self.follower.live, self.follower.agreement(), self.follower.refused
        if not refused and forge and not forge.agrees:
            refused = {"what": "live.toml", "why": forge.why}
        why = refused["why"] if refused else 'live.toml says: champion = "none"'
        ready = live.bundle is not None and not self._stopping()
        return {
            "ready": ready,
            "why": None if ready else "it is stopping" if live.bundle else why,
            "version": live.bundle.version if live.bundle else None,
            "since": live.since or None,
            "arms": live.state(),
            "shadow": self.offers.state() if live.shadow and self.offers else None,
            "online": self._online_state(),
            "refused": refused,
            "forge": forge.state() if forge else None,
            "journal": self._journal_state(),
        }

    def _online_state(self) -> dict[str, Any]:
        """The mode of online corrections, and the correction of each version that has one."""
        files = self.follower.corrections
        versions = dict.fromkeys(variant.bundle.version for variant in self.follower.live.all())
        found = {version: files.state(version) for version in versions} if files else {}
        return {"mode": self.follower.online.mode, "corrections": {v: each for v, each in found.items() if each}}

    def _journal_state(self) -> dict[str, Any]:
        """The losses of the journals of all workers, and the files that wait in their folder."""
        found = self.journal.state()
        if self.metrics:
            lost, failing, workers = self.metrics.losses()
            found |= {"lost": lost, "failing": failing > 0, "workers": workers}
            if (lost or failing) and not found["why"]:
                found["why"] = "another worker could not write; the log says why"
        return found

    def champion(self) -> str:
        """The live version; "" if there is none."""
        live = self.follower.live.bundle
        return live.version if live else ""

    def now(self) -> str:
        """The present time in the journal's format."""
        found: str = msgspec.to_builtins(self.clock().astimezone(UTC))
        return found if len(found) == LENGTH else found[:-1] + ".000000Z"

    def close(self) -> None:
        """Stop following the store, and close the journal."""
        self.follower.stop()
        self.journal.close()

    def _respond(self, contract: Contract, found: Any, trace: str, fits: Contract | None) -> bytes:
        if isinstance(found, dict):
            return spell(responses(contract, self.answer([found], trace=trace, fits=fits))[0])
        return spell(responses(contract, self.answer(found, trace=trace, fits=fits)))

    def _together(self, contract: Contract, rows: Rows, traces: Sequence[str]) -> Sequence[bytes | Exception | None]:
        """The responses to *rows* of separate requests; None for all if one fails."""
        try:
            answers = self._answer(rows, traces, contract, each=True)
        except RequestError as error:
            return [error] * len(rows)  # the journal failed, or nothing is live any more
        except Exception:
            return [None] * len(rows)  # maybe because of one row, which gets its error when it is scored alone
        return [spell(response) for response in responses(contract, answers)]

    def _answer(self, rows: Rows, traces: Sequence[str], fits: Contract | None, *, each: bool = False) -> list[Answer]:
        """The answers to *rows*: of one request, or *each* of a separate request."""
        began = time.perf_counter()
        live = self.follower.live  # read once, so that all answers of a request come from the same set of models
        contract = must_be_live(live.bundle).contract
        _, own = self._reading(contract)
        if type(rows) is Table and (live.split or fits is not contract):
            rows = [*rows]  # its columns are those of one contract
        if fits is not contract:
            refuse(chain(problems_of(contract, rows), repeated(rows) if own else ()), len(rows))
        at = self.now()
        ids = ids_of(rows, own)
        # All rows are scored before any answer is written: all are answered, or none.
        scored = list(score_arms(live, rows, ids, at, each))
        for arm, numbers, found in scored:
            self._keep(live, arm, found, [traces[n] for n in numbers] if any(traces) else ())
        if self.metrics:
            seconds = time.perf_counter() - began
            for arm, _, found in scored:
                features: Any = rows if type(rows) is Table else [a.row for a in found]
                lacks = gaps(features, arm.bundle.names, arm.bundle.known)
                requests, version = len(found) if each else 1, arm.bundle.version
                self.metrics.answered(version, arm.name, tops(found), *lacks, seconds, requests)
        answers = scored[0][2] if scored else []
        if len(scored) > 1:
            place = {n: a for _, numbers, found in scored for n, a in zip(numbers, found, strict=True)}
            answers = [place[n] for n in range(len(rows))]
        if live.shadow and self.offers:
            self.offers.offer(live.shadow, answers, rows)
        return answers

    def _keep(self, live: TrafficSplit, arm: Variant, answers: Sequence[Answer], traces: Sequence[str]) -> None:
        for answer in answers if live.split else ():
            for name, value in live.mark(arm, answer.key).items():
                setattr(answer, name, value)
        if traces:
            valid = {trace: read_trace(trace) or UNSET for trace in set(traces)}
            for answer, trace in zip(answers, traces, strict=True):
                answer.trace = valid[trace]
        kept = self.journal.answers(answers, arm.private, arm.rows.key)
        if not kept and self.journal.policy == REFUSE:
            raise RequestError(503, "the journal cannot be written, and no answer leaves unkept")

    def _read_fast(self, contract: Contract, content: bytes) -> Any:
        """The row or rows in *content*; None if they need the full validation."""
        reader, _ = self._reading(contract)
        return reader.rows(content, self.most_rows) if reader else None

    def _reading(self, contract: Contract) -> tuple[Decoder | None, bool]:
        """The decoder of *contract*, and whether rows may have ids."""
        read = self._read
        if read is None or read[0] is not contract:
            read = self._read = (contract, decoder(contract), takes_ids(contract))
        return read[1:]


def must_be_live(bundle: Bundle | None) -> Bundle:
    """*bundle*. Raises `RequestError` 503 if it is None."""
    if bundle is None:
        raise RequestError(503, "no model is live yet; GET /ready says why")
    return bundle

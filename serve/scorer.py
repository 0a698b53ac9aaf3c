"""The scorer: rows in, answers out, every answer journalled; the one function behind every route.

Nothing here knows HTTP. A request that cannot be answered raises `RequestError` with everything
that is wrong with it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import Any

import msgspec

from model.contract import Contract
from serve.answers import Answer, bodies
from serve.arms import Arm, Arms
from serve.bundle import Bundle
from serve.decoder import Decoder, decoder
from serve.journal import REFUSE, Journal
from serve.metrics import Metrics
from serve.replies import spell
from serve.router import Router
from serve.scoring import (
    MOST_ROWS,
    RequestError,
    ids_of,
    problems_of,
    read_outcomes,
    read_rows,
    refuse,
    repeated,
    score,
    takes_ids,
)
from serve.shadow import Offers
from serve.strict_json import DEEPEST, read_json
from serve.trace import read_trace

Rows = Sequence[Mapping[str, Any]]
#: Of a time with its microseconds, which msgspec leaves out where there are none.
LENGTH = len("2026-03-01T12:00:00.000000Z")


class Scorer:
    """Answers rows with what the router says is live, and keeps every answer."""

    def __init__(
        self,
        router: Router,
        journal: Journal,
        clock: Callable[[], datetime],
        metrics: Metrics | None = None,
        *,
        most_rows: int = MOST_ROWS,
        deepest: int = DEEPEST,
        stopping: Callable[[], bool] = lambda: False,
        offers: Offers | None = None,
    ) -> None:
        self.router, self.journal, self.clock, self.metrics = router, journal, clock, metrics
        self.most_rows, self.deepest, self._stopping = most_rows, deepest, stopping
        self.offers = offers
        self._read: tuple[Contract, Decoder | None, bool] | None = None

    def score(self, content: bytes, trace: str = "") -> bytes:
        """A request's body -> its answer's: one object -> one, a list -> a list, as JSON."""
        contract = must_be_live(self.router.live.bundle).contract
        fits: Contract | None = contract
        found: Any = self._read_fast(contract, content)
        if found is None:
            found, fits = read_json(content, self.deepest), None
            read_rows(found, self.most_rows)
        many = isinstance(found, list)
        told = bodies(contract, self.answer(found if many else [found], trace=trace, fits=fits))
        return spell(told if many else told[0])

    def scores(self, asked: Sequence[tuple[bytes, str]]) -> list[bytes | Exception]:
        """What `score` gives, or raises, for each body and trace of *asked*, to the bit.

        Those that are one row which fits share the clock, the journal's write and the metrics'
        lock: together they cost half of what they cost one by one.
        """
        found: list[Any] = [None] * len(asked)
        bundle = self.router.live.bundle
        if bundle and len(asked) > 1:
            self._together(bundle.contract, asked, found)
        for n, (content, trace) in enumerate(asked):
            if found[n] is None:
                try:
                    found[n] = self.score(content, trace)
                except Exception as error:
                    found[n] = error
        return found

    def answer(self, rows: Rows, *, trace: str = "", fits: Contract | None = None) -> list[Answer]:
        """The answers of *rows*, in their order; all of them, or `RequestError`.

        *fits* is a contract that the rows are known to fit.
        """
        return self._counted(rows, [trace] * len(rows) if trace else (), fits)

    def tell(self, told: Rows) -> dict[str, int]:
        """Keep outcomes, and say how many; RequestError if one is wrong or cannot be kept.

        Each is kept, whether or not this machine gave the answer: the watch joins outcomes to answers
        by id, over all machines, and counts the first of an id.
        """
        bundle = must_be_live(self.router.live.bundle)
        at = self.now()
        lines = [{**line, "at": at} for line in read_outcomes(bundle.contract, told)]
        if not self.journal.outcomes(lines):
            raise RequestError(503, "the journal cannot be written; send the outcomes again")
        if self.metrics:
            self.metrics.outcomes(len(lines))
        return {"accepted": len(lines)}

    def state(self) -> dict[str, Any]:
        """Whether rows can be answered, by what since when; what is refused; what was lost.

        What keeps `forge sync` from following is refused as well; *why* it is not ready, if it is not.
        """
        live, forge, refused = self.router.live, self.router.agreement(), self.router.refused
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
            "refused": refused,
            "forge": forge.state() if forge else None,
            "journal": self._journal_state(),
        }

    def _journal_state(self) -> dict[str, Any]:
        """What the journals of so many `workers` lost, and what waits in their folder."""
        found = self.journal.state()
        if self.metrics:
            lost, failing, workers = self.metrics.losses()
            found |= {"lost": lost, "failing": failing > 0, "workers": workers}
            if (lost or failing) and not found["why"]:
                found["why"] = "another worker could not write; the log says why"
        return found

    def champion(self) -> str:
        """The version that is live; "" for none."""
        live = self.router.live.bundle
        return live.version if live else ""

    def now(self) -> str:
        """The present as the journal writes it."""
        found: str = msgspec.to_builtins(self.clock().astimezone(UTC))
        return found if len(found) == LENGTH else found[:-1] + ".000000Z"

    def close(self) -> None:
        """Follow the store no longer, and write out what the journal holds."""
        self.router.stop()
        self.journal.close()

    def _together(
        self, contract: Contract, asked: Sequence[tuple[bytes, str]], found: list[Any]
    ) -> None:
        """Put into *found* the answer to each that is one row; None stays where it is not."""
        read = [self._read_fast(contract, content) for content, _ in asked]
        plain = [n for n, row in enumerate(read) if type(row) is dict]
        if not plain:
            return
        traces = [asked[n][1] for n in plain]
        try:
            answers = self._counted([read[n] for n in plain], traces, contract, each=True)
        except RequestError as error:
            for n in plain:
                found[n] = error  # none could be kept, or nothing is live any more
        except Exception:
            return  # of one, it may be: each is asked alone, and what is wrong with it is told
        else:
            for n, told in zip(plain, bodies(contract, answers), strict=True):
                found[n] = spell(told)

    def _counted(
        self, rows: Rows, traces: Sequence[str], fits: Contract | None, *, each: bool = False
    ) -> list[Answer]:
        """The answers of *rows*: of one request, or *each* of its own."""
        if not self.metrics:
            return self._answer(rows, traces, fits, each)
        requests, answered = len(rows) if each else 1, 0
        self.metrics.in_progress(requests)
        try:
            found = self._answer(rows, traces, fits, each)
            answered = requests
        finally:
            self.metrics.in_progress(-requests, answered)
        return found

    def _answer(
        self, rows: Rows, traces: Sequence[str], fits: Contract | None, each: bool
    ) -> list[Answer]:
        began = time.perf_counter()
        live = self.router.live  # one look: all of a request's answers are of one moment
        contract = must_be_live(live.bundle).contract
        _, own = self._reading(contract)
        if fits is not contract:
            refuse(chain(problems_of(contract, rows), repeated(rows) if own else ()), len(rows))
        at = self.now()
        ids = ids_of(rows, own)
        # All are scored before any is kept: all are answered, or none.
        scored = list(_scored(live, rows, ids, at, each))
        for arm, numbers, found in scored:
            self._keep(live, arm, found, [traces[n] for n in numbers] if any(traces) else ())
        if self.metrics:
            seconds = time.perf_counter() - began
            for arm, _, found in scored:
                self._count(self.metrics, arm.bundle, found, seconds, len(found) if each else 1)
        answers = scored[0][2] if scored else []
        if len(scored) > 1:
            place = {
                n: a for _, numbers, found in scored for n, a in zip(numbers, found, strict=True)
            }
            answers = [place[n] for n in range(len(rows))]
        if live.shadow and self.offers:
            self.offers.offer(live.shadow, answers, rows)
        return answers

    def _keep(self, live: Arms, arm: Arm, answers: Sequence[Answer], traces: Sequence[str]) -> None:
        lines: Sequence[Any] = answers
        if live.split or traces or arm.private:
            told = [read_trace(trace) for trace in traces] or repeat("")
            lines = [
                answer.line()
                | (live.mark(arm, answer.key) if live.split else {})
                | ({"trace": trace} if trace else {})
                for answer, trace in zip(answers, told, strict=False)
            ]
        kept = self.journal.answers(lines, arm.private, arm.rows.key)
        if not kept and self.journal.policy == REFUSE:
            raise RequestError(503, "the journal cannot be written, and no answer leaves unkept")

    def _count(
        self,
        metrics: Metrics,
        bundle: Bundle,
        answers: Sequence[Answer],
        seconds: float,
        requests: int,
    ) -> None:
        rows = [answer.row for answer in answers]
        missing: dict[str, int] = {}
        unseen: dict[str, int] = {}
        if lacking := [row for row in rows if None in row.values()]:
            missing = Counter(n for row in lacking for n, value in row.items() if value is None)
        for name, known in bundle.known:
            values = [row.get(name) for row in rows]
            if not known.issuperset(values):
                unseen[name] = sum(value not in known for value in values)
        scores = [a.score if isinstance(a.score, float) else max(a.score) for a in answers]
        metrics.answered(bundle.version, answers[0].arm, scores, missing, unseen, seconds, requests)

    def _read_fast(self, contract: Contract, content: bytes) -> Any:
        """The row or rows in *content*, if they fit and are usual; else None."""
        reader, _ = self._reading(contract)
        return reader.rows(content, self.most_rows) if reader else None

    def _reading(self, contract: Contract) -> tuple[Decoder | None, bool]:
        """How rows of *contract* are read, and whether they may bring ids."""
        read = self._read
        if read is None or read[0] is not contract:
            read = self._read = (contract, decoder(contract), takes_ids(contract))
        return read[1:]


def _scored(
    live: Arms, rows: Rows, ids: Sequence[str], at: str, each: bool
) -> Iterator[tuple[Arm, Sequence[int], list[Answer]]]:
    """Each arm, the numbers of its rows, and its answers to them."""
    first = live.champion
    if first and rows and not live.split:
        yield first, range(len(rows)), score(first.bundle, first.name, rows, ids, at, each=each)
    elif first and rows:
        key = first.rows.key
        keys = [row.get(key) or id_ for row, id_ in zip(rows, ids, strict=True)]
        for arm, numbers in live.deal(keys):
            theirs = [arm.read(rows[n]) for n in numbers]
            own = [ids[n] for n in numbers]
            yield arm, numbers, score(arm.bundle, arm.name, theirs, own, at, each=each)


def must_be_live(bundle: Bundle | None) -> Bundle:
    """*bundle*, or a 503 if there is none."""
    if bundle is None:
        raise RequestError(503, "no model is live yet; GET /ready says why")
    return bundle

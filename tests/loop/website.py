"""A website, as far as the scorer can see: rows over HTTP, one per request; the truth days later."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any

import pandas as pd

from contracts.row_contract import Contract
from model.loaded_columns import plain


@dataclass
class Answers:
    """What came back for the rows of one stretch of time."""

    ids: dict[str, Any] = field(default_factory=dict)  # id of an answer -> the outcome to report later
    versions: Counter[str] = field(default_factory=Counter)
    first_seen: dict[str, float] = field(default_factory=dict)  # version -> time.monotonic()
    failed: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def summary(self) -> str:
        """One line for a person."""
        taken = sorted(self.seconds)
        half, most = (taken[int(len(taken) * share)] * 1000 if taken else 0 for share in (0.5, 0.99))
        served = ", ".join(f"{version} {count:,}" for version, count in self.versions.items())
        return f"{len(self.ids):,} answers ({served}), {len(self.failed)} failed, half within {half:.1f} ms, 99% within {most:.1f}"


class Website:
    """Sends rows to the scorer at *address* (host:port) over a few kept-alive connections."""

    def __init__(self, address: str, contract: Contract, connections: int = 2) -> None:
        self.address, self.contract, self.connections = address, contract, connections

    def send(self, rows: pd.DataFrame) -> Answers:
        """Post each row by itself, in order of time; returns when the last is answered."""
        traffic = Traffic(self, rows, pause=0)
        traffic.join()
        return traffic.answers

    def report_outcomes(self, answers: Answers) -> int:
        """Post what became of the rows, in lots of 500; returns how many were taken."""
        sent = [{"id": id_, "outcome": truth} for id_, truth in answers.ids.items()]
        connection = HTTPConnection(self.address, timeout=30)
        taken = 0
        for n in range(0, len(sent), 500):
            status, body = _post(connection, "/outcome", sent[n : n + 500])
            if status >= 300:
                raise RuntimeError(f"/outcome answered {status}: {body}")
            taken += body["accepted"]
        connection.close()
        return taken


class Traffic:
    """The website at work in the background, until its rows are answered or it is ended."""

    def __init__(self, website: Website, rows: pd.DataFrame, pause: float = 0.02) -> None:
        self.answers = Answers()
        self._website, self._pause = website, pause
        self._lock, self._ended = threading.Lock(), threading.Event()
        visits = as_requests(rows, website.contract)
        lots = [visits[n :: website.connections] for n in range(website.connections)]
        self._threads = [threading.Thread(target=self._visit, args=(lot,)) for lot in lots]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for the last answer."""
        for thread in self._threads:
            thread.join()

    def end(self) -> Answers:
        """Stop sending; returns what came back so far."""
        self._ended.set()
        self.join()
        return self.answers

    def _visit(self, visits: Sequence[tuple[dict[str, Any], Any]]) -> None:
        connection = HTTPConnection(self._website.address, timeout=30)
        for row, truth in visits:
            if self._ended.is_set():
                break
            began = time.monotonic()
            try:
                status, body = _post(connection, "/score", row)
            except (OSError, HTTPException, ValueError) as error:
                status, body = 0, repr(error)
                connection.close()
            self._note(status, body, truth, time.monotonic() - began)
            self._ended.wait(self._pause)
        connection.close()

    def _note(self, status: int, body: Any, truth: Any, seconds: float) -> None:
        with self._lock:
            if status != 200:
                self.answers.failed.append(f"{status}: {body}")
                return
            self.answers.ids[body["id"]] = truth
            self.answers.versions[body["version"]] += 1
            self.answers.first_seen.setdefault(body["version"], time.monotonic())
            self.answers.seconds.append(seconds)


def as_requests(rows: pd.DataFrame, contract: Contract) -> list[tuple[dict[str, Any], Any]]:
    """Each row as a website would send it, with its truth apart."""
    rows = rows.sort_values(contract.time)
    columns = {name: plain(rows[name]) for name in (contract.key, *contract.feature_names)}
    columns[contract.time] = rows[contract.time].dt.strftime("%Y-%m-%dT%H:%M:%SZ").tolist()
    truths = rows[contract.target.name].tolist()
    sent = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return list(zip(sent, truths, strict=True))


def _post(connection: HTTPConnection, path: str, body: Any) -> tuple[int, Any]:
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    return answer.status, json.loads(content)

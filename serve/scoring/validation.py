"""Problems of a request: of its rows, its ids, its outcomes.

Nothing here knows Flask. A request that is wrong raises `RequestError` with all that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from contracts.row_contract import Contract, describe, show

MAX_ROWS = 10_000
MAX_ID_LENGTH = 200
#: Fields that are not in the contract, counted over all rows.
MAX_UNKNOWN = 1_000
#: Problems listed in an answer. All problems are counted.
MAX_LISTED = 100
_ROWS = "a JSON object, or a list of them"


class RequestError(Exception):
    """A request that cannot be answered: the HTTP status, a sentence, and the problems.

    At most `MAX_LISTED` problems are listed, of *count*, in *rows* rows.
    """

    def __init__(
        self, status: int, words: str, problems: Sequence[Mapping[str, Any]] = (), count: int = 0, rows: int = 1
    ) -> None:
        super().__init__(words)
        self.status, self.words, self.problems = status, words, problems
        self.count, self.rows = count, rows

    def first(self) -> str:
        """The first problem and the number of problems; the sentence if no problem is listed."""
        if not self.problems:
            return self.words
        problem = self.problems[0]
        row = f"row {problem['row']}" if "row" in problem and self.rows > 1 else ""
        where = ": ".join(filter(None, [row, problem["field"]]))
        said = f"expected {problem['expected']}, got {problem['got']}"
        more = f" (1 of {self.count:,} problems)" if self.count > 1 else ""
        return (f"{where}: " if where else "") + said + more


def read_rows(found: Any, most: int = MAX_ROWS) -> list[Mapping[str, Any]]:
    """The rows of a body: one object, or a list of at most *most* objects."""
    rows = found if isinstance(found, list) else [found]
    refuse_more(len(rows), most)
    if not isinstance(found, (list, dict)):
        raise RequestError(400, f"expected {_ROWS}; got {describe(found)}")
    odd = (
        {"row": number, "field": "", "expected": "an object", "got": describe(row)}
        for number, row in enumerate(rows)
        if not isinstance(row, dict)
    )
    listed, count, _ = gather(odd)
    if listed:
        words = f"{count} of {len(rows)} rows are not objects"
        raise RequestError(422, words, listed, count, len(rows))
    return rows


def refuse_more(rows: int, most: int) -> None:
    """Raise `RequestError` if there are more than *most* rows."""
    if rows > most:
        raise RequestError(413, f"{rows:,} rows in one request; at most {most:,} are taken")


def problems_of(contract: Contract, rows: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Everything that is wrong with *rows*, a problem at a time.

    Each name that the contract does not have is compared with its fields' names, so of such names a
    request may have `MAX_UNKNOWN`; with more, that is its only problem.
    """
    known = {*contract.feature_names, contract.key, contract.time, contract.target.name, "id"}
    unknown = set().union(*rows) - known
    if len(unknown) > MAX_UNKNOWN:
        expected = f"at most {MAX_UNKNOWN:,} names that the contract does not have"
        yield {"row": 0, "field": "", "expected": expected, "got": f"{len(unknown):,}"}
        return
    for number, row in enumerate(rows):
        for problem in _problems(contract, row):
            yield {"row": number, **problem}


def gather(problems: Iterable[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], int, int]:
    """The first `MAX_LISTED` *problems*, how many there are, and how many rows have one.

    The others are counted and not kept: a large request must not be answered with a larger list.
    """
    source = iter(problems)
    listed = list(islice(source, MAX_LISTED))
    rows = {problem.get("row") for problem in listed}
    count = len(listed)
    for problem in source:
        count += 1
        rows.add(problem.get("row"))
    return listed, count, len(rows)


def refuse(problems: Iterable[Mapping[str, Any]], rows: int = 1, *, form: str = "") -> None:
    """Raise `RequestError` if there are *problems* in *rows* rows, or with the *form* in which they came."""
    listed, count, bad = gather(problems)
    if listed:
        words = f"{count:,} problem{'s' if count > 1 else ''}"
        if count > MAX_LISTED:
            words += f" (the first {MAX_LISTED} are listed)"
        where = f"with {form}" if form else "in the row" if rows == 1 else f"in {bad:,} of {rows:,} rows"
        raise RequestError(422, f"{words} {where}; nothing was taken", listed, count, rows)


def read_outcomes(contract: Contract, outcomes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The outcomes, each with the id of an answer. Raises `RequestError` with all problems."""
    refuse(chain(_wrong_outcomes(contract, outcomes), repeated(outcomes)), len(outcomes))
    return [{"id": outcome["id"], "outcome": outcome["outcome"]} for outcome in outcomes]


def _problems(contract: Contract, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = [problem._asdict() for problem in contract.problems(row)]
    if row.get("id") is not None and takes_ids(contract) and not _is_id(row["id"]):
        found.append(_wrong_id(row["id"]))
    return found


def takes_ids(contract: Contract) -> bool:
    """Whether the field `id` of a row is the id of its answer."""
    # If the contract has a field of this name, `id` is that field, which may be a private key.
    known = {*contract.feature_names, contract.key, contract.time, contract.target.name}
    return "id" not in known


def repeated(rows: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The ids that occur more than once in a request."""
    first: dict[Any, int] = {}
    for number, row in enumerate(rows):
        id_ = row.get("id")
        if _is_id(id_) and first.setdefault(id_, number) != number:
            got = f"that of row {first[id_]}"
            yield {"row": number, "field": "id", "expected": "a different id for each row", "got": got}


def _wrong_outcomes(contract: Contract, outcomes: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for number, outcome in enumerate(outcomes):
        if not _is_id(outcome.get("id")):
            yield {"row": number, **_wrong_id(outcome.get("id"))}
        wrong = contract.target.problem(outcome.get("outcome"))
        if wrong:
            yield {"row": number, **wrong._asdict(), "field": "outcome"}


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH and value.isprintable()


def _wrong_id(value: object) -> dict[str, Any]:
    got = "nothing" if value is None else show(value)
    return {"field": "id", "expected": f"a string of 1 to {MAX_ID_LENGTH} printable characters", "got": got}

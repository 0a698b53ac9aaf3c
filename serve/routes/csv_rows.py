"""Rows from CSV (RFC 4180) as SageMaker's and MLflow's clients send them, and answers as CSV.

SageMaker's algorithms take values without a header line, here those of the features in the contract's order, and
answer a line of scores for each row. MLflow takes what `DataFrame.to_csv` writes, with a header line.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from contracts.row_contract import Contract, Feature
from serve.http.strict_json import MAX_DIGITS
from serve.routes.column_rows import Fields
from serve.scoring.answer_lines import Answer
from serve.scoring.validation import RequestError, refuse, refuse_more

#: Texts that mean a missing number or boolean, besides an empty cell (in lower case).
MISSING = frozenset({"", "nan", "na", "n/a", "<na>", "null", "none"})
BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|infinity)", re.ASCII | re.IGNORECASE)


def read_csv(content: bytes, fields: Fields, most: int, *, header: bool | None = None) -> list[Mapping[str, Any]]:
    """The rows in *content*, at most *most*; *header* says whether the first line has names.

    With None it has if it names at least half of the features that must not be missing. Raises
    `RequestError`; what is not a value of its field stays text, which the contract refuses.
    """
    lines, count = _lines(content, most + 1)
    if not lines:
        raise RequestError(400, "the body is empty; expected lines of CSV")
    contract = fields.contract
    names, source = list(contract.feature_names), "the features in the contract's order"
    if header or (header is None and _is_header(lines[0], contract)):
        names, source = [name.strip() for name in lines.pop(0)], "as the first line has"
        count -= 1
    refuse_more(count, most)
    twice = ((name, times) for name, times in Counter(names).items() if times > 1 and name in fields)
    refuse(({"field": n, "expected": "one column of a name", "got": f"{t:,}"} for n, t in twice), form="the CSV")
    refuse(_ragged(lines, len(names), source), count, form="the CSV")
    columns = {
        name: [_value(fields.features.get(name), line[place]) for line in (lines if name in fields else lines[:1])]
        for place, name in enumerate(names)
    }
    return fields.rows(columns, count)


def write_csv(answers: Sequence[Answer]) -> bytes:
    """The scores as CSV, a line for each answer; for a multiclass model with the probability of each class."""
    scores = (answer.score if isinstance(answer.score, list) else [answer.score] for answer in answers)
    return "".join([",".join(map(str, each)) + "\n" for each in scores]).encode()


def _lines(content: bytes, most: int) -> tuple[list[list[str]], int]:
    """The cells of the first *most* lines that are not empty, and the number of such lines."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(400, "the body is not CSV: it is not UTF-8 text") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        lines = filter(None, reader)
        found = [*islice(lines, most)]
        return found, len(found) + sum(1 for _ in lines)
    except csv.Error as error:
        raise RequestError(400, f"the body is not CSV: line {reader.line_num}: {error}") from error


def _is_header(line: Sequence[str], contract: Contract) -> bool:
    needed = [one.name for one in contract.features if not one.nullable] or contract.feature_names
    # Names in capitals are header names, too, and are refused as misspelt.
    cells = {cell.strip().casefold() for cell in line}
    return 2 * sum(name.casefold() in cells for name in needed) >= len(needed)


def _ragged(lines: Sequence[Sequence[str]], width: int, source: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines):
        if len(line) != width:
            expected = f"{width:,} values with commas between them, {source}"
            yield {"row": number, "field": "", "expected": expected, "got": f"{len(line):,} values"}


def _value(feature: Feature | None, cell: str) -> Any:
    if feature is None or feature.kind == "category":
        return cell or None
    word = cell.strip().lower()
    if word in MISSING:
        return None
    if feature.kind == "boolean":
        return BOOLEANS.get(word, cell)
    if len(word) > MAX_DIGITS or not _NUMBER.fullmatch(word):
        return cell
    return int(word) if _WHOLE.fullmatch(word) else float(word)
